"""Partial responses to batches: every record is handled, and only the failed ones are delivered again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from shared.errors import StorageThrottled
from shared.jobs.job import JobStatus
from shared.jobs.transitions import JobTransition
from shared.runtime.batch import Batch, Message, handle_messages, handle_transitions
from tests.fakes.core import a_job
from tests.fakes.stream import a_message, a_record

JOBS = [a_job(f"job_a{index}", status=JobStatus.COMPLETED) for index in range(4)]
EVENT = {
    "Records": [
        a_record(job, before=JobStatus.IN_PROGRESS, record_id=f"r{index}", sequence=100 + index)
        for index, job in enumerate(JOBS)
    ]
}


def fail_for(*record_ids: str) -> list[str]:
    """Return the ids of the records that a handler gets that fails for these."""
    handled: list[str] = []

    def handle(transition: JobTransition) -> str:
        handled.append(transition.record_id)
        if transition.record_id in record_ids:
            raise StorageThrottled("try again")
        return transition.job.id

    batch = handle_transitions(EVENT, handle)
    failed = [each["itemIdentifier"] for each in batch.response["batchItemFailures"]]
    assert failed == [str(100 + int(each.removeprefix("r"))) for each in record_ids]
    assert batch.results == [job.id for index, job in enumerate(JOBS) if f"r{index}" not in record_ids]
    return handled


@pytest.mark.parametrize("failing", [(), ("r1",), ("r0", "r3"), ("r0", "r1", "r2", "r3")])
def test_a_failing_record_holds_up_no_other_and_is_reported(failing: tuple[str, ...]) -> None:
    assert fail_for(*failing) == ["r0", "r1", "r2", "r3"]


def test_a_coroutine_handles_all_records_at_the_same_time() -> None:
    reached = 0
    all_reached = asyncio.Event()

    async def handle(transition: JobTransition) -> str:
        nonlocal reached
        reached += 1
        if reached == len(JOBS):
            all_reached.set()
        await all_reached.wait()
        if transition.record_id == "r2":
            raise StorageThrottled("try again")
        return transition.record_id

    batch: Batch[str] = handle_transitions(EVENT, handle)

    assert sorted(batch.results) == ["r0", "r1", "r3"]
    assert batch.response == {"batchItemFailures": [{"itemIdentifier": "102"}]}


def test_records_that_are_no_transition_are_skipped() -> None:
    event = {"Records": [a_record(JOBS[0], before=JobStatus.COMPLETED), *EVENT["Records"][1:2]]}

    batch = handle_transitions(event, lambda transition: transition.record_id)

    assert (batch.results, batch.response) == (["r1"], {"batchItemFailures": []})


def test_a_job_that_cannot_be_read_fails_without_a_word_of_its_values(caplog: pytest.LogCaptureFixture) -> None:
    broken = a_record(JOBS[0], before=JobStatus.IN_PROGRESS, record_id="broken", sequence=7)
    broken["dynamodb"]["NewImage"]["input"] = {"S": "a secret prompt"}

    batch = handle_transitions({"Records": [broken, *EVENT["Records"][1:]]}, lambda transition: transition.job.id)

    assert batch.response == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert batch.results == ["job_a1", "job_a2", "job_a3"]
    (line,) = caplog.records
    assert (vars(line)["record"], vars(line)["error_type"]) == ("broken", "UnreadableJob")
    assert "secret" not in str(vars(line))


def test_a_message_is_handed_over_with_its_json() -> None:
    event = {"Records": [a_message({"deliveryId": "d1"}, ApproximateReceiveCount="3", MessageGroupId="whk_1")]}

    batch = handle_messages(event, lambda message: message)

    sent_at = datetime(2026, 11, 26, 12, tzinfo=UTC)
    assert batch.results == [Message("message-1", {"deliveryId": "d1"}, 3, sent_at, "whk_1")]


@pytest.mark.parametrize("body", ["no JSON", "[]", "3"])
def test_a_message_that_is_no_json_object_fails(body: str) -> None:
    event = {"Records": [a_message(body, message_id="m1"), a_message({"a": 1}, message_id="m2")]}

    batch = handle_messages(event, lambda message: message.id)

    assert (batch.results, batch.response) == (["m2"], {"batchItemFailures": [{"itemIdentifier": "m1"}]})


def test_any_exception_of_a_handler_is_a_failure_of_its_record_only(caplog: pytest.LogCaptureFixture) -> None:
    def handle(message: Message) -> str:
        return {"a": "fine"}[str(message.body["key"])]

    event = {"Records": [a_message({"key": key}, message_id=key) for key in ("a", "secret")]}
    batch = handle_messages(event, handle)

    assert (batch.results, batch.response) == (["fine"], {"batchItemFailures": [{"itemIdentifier": "secret"}]})
    assert [vars(line)["error_type"] for line in caplog.records] == ["KeyError"]
