"""A fan-out in a real Map: parts run at once, one is killed or fails, and a resumption runs what is missing."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws.credentials import aws_environment
from local.stack import LocalStack
from local.template.intrinsics import ACCOUNT, REGION
from local.template.template import Template
from shared.assembly import Core
from shared.errors import ErrorCode
from shared.jobs.creation import NewJob
from shared.jobs.job import Job, JobLinks, JobStatus
from shared.storage import aws
from tests.api_user import ended_execution, wait_until
from tests.fakes.core import PoemInput
from tests.local.fan_out.ports import Ports
from tests.patience import ALLOWANCE

TEMPLATE = Path(__file__).parent / "fan_out/template.yaml"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack("processes", template=TEMPLATE, allowance=ALLOWANCE) as running:
        yield running
        assert running.accesses()["refused"] == []


@pytest.fixture(scope="module")
def core(stack: LocalStack) -> Iterator[Core]:
    """The core in this process, on the stack's tables."""
    variables = Template(TEMPLATE).functions[0].environment
    prefix = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:millrace-"
    limits = {"DEFAULT_MODEL": "m", "ALLOWED_MODELS": "m", "JOB_CREATIONS_PER_MINUTE": "1000"}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            **aws_environment(stack.aws_url),
            **variables,
            **limits,
            "STATE_MACHINE_ARN_PREFIX": prefix,
        }.items():
            environment.setenv(name, value)
        environment.setattr(aws, "client", functools.cache(aws.client.__wrapped__))
        yield Core(Ports())


def start(core: Core, folder: Path, parts: str) -> Job:
    (folder / "parts").write_text(parts)
    return core.job_creation.create(
        "ada", NewJob(pipeline="anthology", input=PoemInput(topic=str(folder)), links=JobLinks())
    )


def ended(core: Core, job: Job) -> Job:
    def now() -> Job | None:
        found = core.job_queries.owned("ada", job.id)
        return found if found.status.ended else None

    found = wait_until(now)
    assert found is not None
    return found


def items(core: Core, job: Job) -> list[str]:
    return list(core.job_queries.view("ada", job.id).transcript.items)


def test_every_part_runs_once_although_one_is_killed(core: Core, tmp_path: Path) -> None:
    (tmp_path / "c.hangs").touch()
    job = start(core, tmp_path, "e d c b a")
    pid = int(wait_until((tmp_path / "c.hangs").read_text))
    # The other parts finish while this one hangs.
    wait_until(lambda: sorted(items(core, job)) == ["a", "b", "d", "e"])
    os.kill(pid, signal.SIGKILL)
    done = ended(core, job)
    assert (done.status, done.retry_count) == (JobStatus.COMPLETED, 1)
    view = core.job_queries.view("ada", job.id)
    assert view.result == {"lines": [f"{key} {key}" for key in ("e", "d", "c", "b", "a")]}
    assert sorted(view.transcript.items) == ["a", "b", "c", "d", "e"]
    assert {each.status for each in view.transcript.subtasks.values()} == {"finished"}
    assert sorted((tmp_path / "runs").read_text().split()) == ["a", "b", "c", "c", "d", "e"]


def test_a_part_that_fails_fails_the_job_and_a_resumption_runs_only_what_is_missing(
    core: Core, stack: LocalStack, tmp_path: Path
) -> None:
    (tmp_path / "b.fails").touch()
    (tmp_path / "b.waits").touch()
    job = start(core, tmp_path, "a b")
    wait_until(lambda: items(core, job) == ["a"])
    (tmp_path / "b.waits").unlink()
    failed = ended(core, job)
    assert failed.failure is not None
    assert (failed.status, failed.failure.code, failed.failure.message) == (
        JobStatus.FAILED,
        ErrorCode.MODEL_REFUSED,
        "part b: not this poem",
    )
    execution = ended_execution(stack, str(failed.execution_arn))
    assert (execution["status"], execution["error"]) == ("FAILED", "ModelRefused")

    (tmp_path / "b.fails").unlink()
    core.job_resumption.resume("ada", job.id)
    done = ended(core, job)
    assert done.status is JobStatus.COMPLETED
    assert core.job_queries.result(done) == {"lines": ["a a", "b b"]}
    assert sorted((tmp_path / "runs").read_text().split()) == ["a", "b", "b"]
    assert ended_execution(stack, str(done.execution_arn))["status"] == "SUCCEEDED"
    events = [entry.event for entry in core.ports.event_log.read(job.id, after=0, consistent=True)]
    assert [event.type for event in events][-1] == "complete"


def test_a_fan_out_of_no_parts_succeeds(core: Core, tmp_path: Path) -> None:
    done = ended(core, start(core, tmp_path, ""))
    assert (done.status, core.job_queries.result(done)) == (JobStatus.COMPLETED, {"lines": []})


def test_a_cancellation_ends_the_map(core: Core, stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "a.hangs").touch()
    job = start(core, tmp_path, "a b")
    wait_until((tmp_path / "a.hangs").read_text)
    wait_until(lambda: items(core, job) == ["b"])
    core.job_cancellation.cancel("ada", job.id)
    assert ended_execution(stack, str(job.execution_arn))["status"] in {"ABORTED", "FAILED"}
    wait_until(lambda: all(each["ended"] for each in stack.invocations(job.id)))
    assert items(core, job) == ["b"]
    types = [entry.event.type for entry in core.ports.event_log.read(job.id, after=0, consistent=True)]
    assert types[-1] == "cancelled"
