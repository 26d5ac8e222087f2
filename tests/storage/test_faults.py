"""The adapters turn AWS's errors into transient faults or defects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber

from shared.errors import StorageThrottled, StorageUnavailable, TransientFault
from shared.jobs.checkpoints import StageOutput
from shared.jobs.idempotency import KeyClaim
from shared.jobs.job import CheckpointRef
from shared.jobs.store import JobFilter, JobGuard, PreparedWrites
from shared.limits.records import Versioned
from shared.log.event_log import Batch, LogSnapshot
from shared.log.events import Delta
from shared.log.fence import Fence
from shared.storage.aws import THROTTLES, refused_condition, storage_faults
from tests.fakes.clock import EXPIRES_AT, NOON
from tests.fakes.core import a_job
from tests.storage.ports import AwsServer, Ports, adapters

JOB = a_job()
WRITE = {"Delete": {"TableName": "table", "Key": {"PK": {"S": "RUN#run_1"}, "SK": {"S": "RUN"}}}}
FENCE = Fence(1, 0, 0, "aaaaaaaa")
CLAIM = KeyClaim(job_id="job", request_hash="hash", claimed_at=0)

CALLS: dict[str, tuple[str, Callable[[Ports], object]]] = {
    "store a job": ("put_item", lambda ports: ports.jobs.put_new(JOB)),
    "get a job": ("get_item", lambda ports: ports.jobs.get(JOB.id)),
    "move a job": ("update_item", lambda ports: ports.jobs.update(JOB.id, {"stage": "s"}, when=JobGuard())),
    "list jobs": ("query", lambda ports: ports.jobs.list_owned("ada", where=JobFilter(), limit=1, cursor=None)),
    "append": (
        "put_item",
        lambda ports: ports.log.append(JOB.id, Batch(1, (Delta(text="x"),), FENCE, NOON, expires_at=EXPIRES_AT)),
    ),
    "read a log": ("query", lambda ports: ports.log.read(JOB.id, after=0)),
    "find a log's end": ("query", lambda ports: ports.log.tail(JOB.id)),
    "get a snapshot": ("get_item", lambda ports: ports.log.snapshot(JOB.id)),
    "compact": (
        "put_item",
        lambda ports: ports.log.compact(JOB.id, LogSnapshot(1, "x", None, 0), expires_at=EXPIRES_AT),
    ),
    "keep a checkpoint": (
        "put_item",
        lambda ports: ports.checkpoints.put(JOB, "draft", "f", StageOutput(output={}, text="")),
    ),
    "get a checkpoint": (
        "get_item",
        lambda ports: ports.checkpoints.get(JOB.id, "draft", CheckpointRef(seq=1, fence="f")),
    ),
    "load a record": ("get_item", lambda ports: ports.records.load("ada", "creations")),
    "swap a record": (
        "put_item",
        lambda ports: ports.records.swap("ada", "creations", Versioned(0, "{}"), expires_at=1),
    ),
    "find a key": ("get_item", lambda ports: ports.keys.find("ada", "key")),
    "release a key": ("delete_item", lambda ports: ports.keys.release("ada", "key", CLAIM)),
    "get a run": ("get_item", lambda ports: ports.runs.get("run_1")),
    "get a transform": ("get_item", lambda ports: ports.runs.transform("run_1", "tfm_1")),
    "trace a run back": ("query", lambda ports: ports.runs.lineage("run_1")),
    "list runs": (
        "query",
        lambda ports: ports.runs.list_owned("ada", kind="ideation", status=None, limit=1, cursor=None),
    ),
    "hide a run": ("update_item", lambda ports: ports.runs.hide("run_1")),
    "remove a run": ("query", lambda ports: ports.runs.remove("run_1")),
    "open a run": ("transact_write_items", lambda ports: ports.jobs.put_new(JOB, side_writes=PreparedWrites((WRITE,)))),
}


@pytest.mark.parametrize(
    ("code", "status", "fault"),
    [
        ("ProvisionedThroughputExceededException", 400, StorageThrottled),
        ("TransactionConflictException", 400, StorageThrottled),
        ("InternalServerError", 500, StorageUnavailable),
    ],
)
@pytest.mark.parametrize("what", CALLS)
def test_every_call_turns_throttling_and_failures_into_transient_faults(
    moto: AwsServer, what: str, code: str, status: int, fault: type[TransientFault]
) -> None:
    method, call = CALLS[what]
    with moto.requests_of_botocore() as dynamodb, Stubber(dynamodb) as stub:
        stub.add_client_error(method, code, http_status_code=status)
        with pytest.raises(fault) as raised:
            call(adapters(moto))
    assert code not in raised.value.message


def test_a_slow_down_of_s3_is_throttling(moto: AwsServer) -> None:
    large = StageOutput(output={}, text="x" * 200_000)
    with Stubber(moto.s3) as stub:
        stub.add_client_error("put_object", "SlowDown", http_status_code=503)
        with pytest.raises(StorageThrottled):
            adapters(moto).checkpoints.put(JOB, "draft", "f", large)


def client_error(code: str, status: int) -> ClientError:
    response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutItem")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", sorted(THROTTLES))
def test_every_throttling_code_is_storage_throttled(code: str) -> None:
    with pytest.raises(StorageThrottled), storage_faults():
        raise client_error(code, 400)


@pytest.mark.parametrize(
    "error",
    [EndpointConnectionError(endpoint_url="http://nowhere"), ReadTimeoutError(endpoint_url="http://nowhere")],
)
def test_a_database_that_does_not_respond_is_unavailable(error: Exception) -> None:
    with pytest.raises(StorageUnavailable), storage_faults():
        raise error


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFoundException", "AccessDeniedException"])
def test_a_defect_is_not_a_transient_fault(code: str) -> None:
    with pytest.raises(ClientError, match=code), refused_condition(lambda _: AssertionError()):
        raise client_error(code, 400)


def test_botocore_repeats_a_throttled_call(moto: AwsServer) -> None:
    ports, job = adapters(moto), a_job()
    moto.fail_next("PutItem")
    ports.jobs.put_new(job)
    assert ports.jobs.get(job.id) == job


def test_the_adapter_sends_unprocessed_items_in_another_batch(moto: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB may process only part of a batch; moto always processes all of it."""
    ports, jobs = adapters(moto), [a_job(owner="partly") for _ in range(3)]
    for job in jobs:
        ports.jobs.put_new(job)
    whole: Any = moto.dynamodb.batch_get_item
    calls: list[int] = []

    def one_at_a_time(*, RequestItems: dict[str, dict[str, list[object]]]) -> dict[str, object]:  # noqa: N803 - boto3's
        first, *rest = RequestItems[moto.table]["Keys"]
        calls.append(len(rest) + 1)
        answer = whole(RequestItems={moto.table: {"Keys": [first]}})
        return {**answer, "UnprocessedKeys": {moto.table: {"Keys": rest}} if rest else {}}

    monkeypatch.setattr(moto.dynamodb, "batch_get_item", one_at_a_time)
    page = ports.jobs.list_owned("partly", where=JobFilter(), limit=5, cursor=None)
    assert {job.id for job in page.jobs} == {job.id for job in jobs}
    assert calls == [3, 2, 1]
