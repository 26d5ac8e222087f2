"""DynamoDB Local starts, ends and behaves as the tests of this folder need it."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from local.stack import LocalStack
from local.template.intrinsics import REGION
from local.template.template import Template
from shared.jobs.job import JobStatus
from shared.storage.jobs import DynamoJobStore
from shared.storage.keys import EVENT_PREFIX, job_partition
from tests.api_user import ApiUser, wait_until
from tests.dynamodb_local import engine
from tests.dynamodb_local.engine import DynamoDbLocal, EngineError, missing
from tests.fakes.clock import SettableClock
from tests.fakes.core import a_job
from tests.fakes.stream import image_of
from tests.patience import ALLOWANCE, PATIENCE
from tests.storage.ports import ROOT, AwsServer


@pytest.fixture
def fetched() -> None:
    """Skip the test if DynamoDB Local cannot run."""
    reason = missing()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.usefixtures("fetched")
def test_the_engine_ends_with_its_parent_process_even_when_that_is_killed() -> None:
    code = """
import sys, time
from tests.dynamodb_local.engine import DynamoDbLocal
with DynamoDbLocal() as engine:
    print(engine.url, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        assert answers(url)
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not answers(url))


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=PATIENCE).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return True  # it supports POST only
    except OSError:
        return False
    return True


@pytest.mark.usefixtures("fetched")
def test_the_local_stack_has_the_same_costs_and_faults_on_it(stack: LocalStack, user: ApiUser) -> None:
    with DynamoDbLocal() as started, LocalStack(dynamodb_url=started.url, allowance=ALLOWANCE) as on_it:
        its_user = ApiUser(on_it)
        on_it.inject_fault("PutItem", count=1)
        job_id = its_user.new_job()
        assert [event.type for event in its_user.watch(job_id)][-1] == "complete"
        assert its_user.jobs() == [job_id]
        assert dynamodb_tables(started.url) == {table.name for table in Template(ROOT / "template.yaml").tables}
        elsewhere = units_beside_appends(on_it, job_id)
        its_user.close()
    job_id = user.new_job()
    user.watch(job_id)
    assert elsewhere == pytest.approx(units_beside_appends(stack, job_id), abs=4)


def units_beside_appends(stack: LocalStack, job_id: str) -> float:
    """Return the job's write units without those of its text: chance decides how many appends share the text."""
    batches = stack.client("dynamodb").query(
        TableName="millrace-JobsTable",
        KeyConditionExpression="PK = :pk AND begins_with(SK, :events)",
        ExpressionAttributeValues={":pk": {"S": job_partition(job_id)}, ":events": {"S": EVENT_PREFIX}},
        ConsistentRead=True,
    )["Items"]
    return stack.capacity(job_id)["writeUnits"] - sum(map(write_units, batches))


def write_units(item: dict[str, dict[str, str]]) -> int:
    """Return the write units of an item whose attributes are texts and numbers."""
    return math.ceil(sum(len(name) + len(*typed.values()) for name, typed in item.items()) / 1024)


@pytest.mark.usefixtures("fetched")
def test_a_function_gets_the_records_of_its_streams() -> None:
    job = a_job(status=JobStatus.IN_PROGRESS)
    ended = job.model_copy(update={"status": JobStatus.COMPLETED})
    sources = ROOT / "tests/local/sources/template.yaml"
    with DynamoDbLocal() as started, LocalStack(template=sources, dynamodb_url=started.url) as on_it:
        database = on_it.client("dynamodb")
        key = {":key": {"S": job.id}}

        def seen() -> int:
            query = {"KeyConditionExpression": "PK = :key", "ExpressionAttributeValues": key}
            return int(database.query(TableName="millrace-Seen", **query)["Count"])

        for each in (job, ended):
            database.put_item(TableName="millrace-Jobs", Item=image_of(each))
        wait_until(lambda: seen() == 1)


def dynamodb_tables(url: str) -> set[str]:
    client = boto3.client(
        "dynamodb", endpoint_url=url, region_name=REGION, aws_access_key_id="local", aws_secret_access_key="local"
    )
    names = set(client.list_tables()["TableNames"])
    client.close()
    return names


def test_an_engine_that_does_not_start_gives_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho this Java is too old\nexit 3\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(EngineError, match=r"exit status 3[^$]*this Java is too old"), DynamoDbLocal():
        pass


def test_missing_gives_the_reason_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "JARS", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/java")
    assert "make parity" in (missing() or "")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "no java" in (missing() or "")


def test_an_unknown_table_is_a_defect_on_both_engines(server: AwsServer) -> None:
    store = DynamoJobStore("no-such-table", clock=SettableClock())
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        store.put_new(a_job())
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        store.get(a_job().id)
