"""Functions get the records of streams and the messages of queues, as the template's event sources say."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack import LocalStack
from shared.jobs.job import Job, JobStatus
from tests.api_user import wait_until
from tests.fakes.core import a_job
from tests.fakes.stream import image_of
from tests.patience import ALLOWANCE

TEMPLATE = Path(__file__).parent / "sources/template.yaml"
STREAM, QUEUE = "millrace-stream_consumer", "millrace-queue_consumer"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """Each function has its own process, so that one can be killed."""
    with LocalStack("processes", template=TEMPLATE, allowance=ALLOWANCE) as running:
        yield running


def put(stack: LocalStack, *jobs: Job) -> None:
    """Store the jobs."""
    puts = [{"Put": {"TableName": "millrace-Jobs", "Item": image_of(job)}} for job in jobs]
    stack.client("dynamodb").transact_write_items(TransactItems=puts)


def a_new_job(act: str = "") -> Job:
    return a_job(status=JobStatus.IN_PROGRESS, input={"act": act})


def end(stack: LocalStack, *jobs: Job) -> None:
    put(stack, *(job.model_copy(update={"status": JobStatus.COMPLETED}) for job in jobs))


def end_together(stack: LocalStack, *jobs: Job) -> None:
    """End the jobs while a delivery of another is held, so that their records are in one batch."""
    other = a_new_job()
    put(stack, other, *jobs)
    with stack.holding("Deliver", other.id, executed=True) as held:
        end(stack, other)
        wait_until(held)
        end(stack, *jobs)
    wait_until(lambda: settled(stack))


def seen(stack: LocalStack, key: str) -> dict[str, int]:
    """Return how often the record or the message was handled: by its id, or by its group."""
    items = stack.client("dynamodb").query(
        TableName="millrace-Seen",
        KeyConditionExpression="PK = :key",
        ExpressionAttributeValues={":key": {"S": key}},
        ConsistentRead=True,
    )["Items"]
    return {item["SK"]["S"]: int(item["times"]["N"]) for item in items}


def settled(stack: LocalStack) -> bool:
    return stack.sources()["streams"][STREAM]["waiting"] == 0


def taken(stack: LocalStack, queue: str) -> list[Any]:
    """Return the bodies of the messages that are in the queue, and remove them."""
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def was_handled(stack: LocalStack, errand: str, times: int) -> bool:
    return sum(seen(stack, errand).values()) == times


def send(stack: LocalStack, act: str = "", **options: Any) -> str:
    """Send a message about a new errand, and return the errand's name."""
    errand = uuid.uuid4().hex
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName="millrace-Errands")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"errand": errand, "act": act}), **options)
    return errand


# ---- the stream ------------------------------------------------------------------------------------------------------


def test_a_function_gets_each_record_that_passes_its_filter_once(stack: LocalStack) -> None:
    jobs = [a_new_job() for _ in range(3)]
    put(stack, *jobs)
    end(stack, *jobs)
    wait_until(lambda: settled(stack))

    assert [list(seen(stack, job.id).values()) for job in jobs] == [[1], [1], [1]]


def test_a_record_that_keeps_failing_is_given_up_and_holds_up_no_other(stack: LocalStack) -> None:
    before, broken, after = a_new_job(), a_new_job("fail"), a_new_job()
    end_together(stack, before, broken, after)

    # A batch is delivered again from the first record that failed.
    assert [list(seen(stack, job.id).values()) for job in (before, broken, after)] == [[1], [3], [3]]
    (message,) = taken(stack, "millrace-GivenUp")
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["requestContext"]["functionArn"].endswith(f":function:{STREAM}")
    assert message["DDBStreamBatchInfo"]["batchSize"] == 2


def test_a_function_that_is_killed_gets_its_records_again(stack: LocalStack) -> None:
    jobs = [a_new_job(), a_new_job("die once"), a_new_job()]
    end_together(stack, *jobs)

    # The batch is delivered in halves: the first job alone, then the other two.
    assert [list(seen(stack, job.id).values()) for job in jobs] == [[2], [2], [1]]
    assert taken(stack, "millrace-GivenUp") == []


def test_a_delivery_can_be_repeated(stack: LocalStack) -> None:
    job = a_new_job()
    put(stack, job)
    stack.repeat_deliveries(STREAM)
    end(stack, job)
    wait_until(lambda: settled(stack))

    assert list(seen(stack, job.id).values()) == [2]


@pytest.mark.parametrize("executed", [False, True])
def test_a_delivery_can_be_held(stack: LocalStack, executed: bool) -> None:
    job = a_new_job()
    put(stack, job)
    with stack.holding("Deliver", job.id, function="StreamConsumerFunction", executed=executed) as held:
        end(stack, job)
        wait_until(held)
        assert list(seen(stack, job.id).values()) == [1] * executed
        assert stack.sources()["streams"][STREAM]["waiting"] == 1
    wait_until(lambda: settled(stack))

    assert list(seen(stack, job.id).values()) == [1]


def test_a_transaction_that_is_refused_makes_no_record(stack: LocalStack) -> None:
    database = stack.client("dynamodb")
    job = a_new_job()
    put(stack, job)
    ended = image_of(job.model_copy(update={"status": JobStatus.COMPLETED}))
    refused = {"TableName": "millrace-Seen", "Item": {"PK": {"S": "x"}, "SK": {"S": "x"}}}
    with pytest.raises(database.exceptions.TransactionCanceledException):
        database.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "millrace-Jobs", "Item": ended}},
                {"Put": {**refused, "ConditionExpression": "attribute_exists(PK)"}},
            ]
        )
    other = a_new_job()
    put(stack, other)
    end(stack, other)
    wait_until(lambda: settled(stack))

    assert (seen(stack, job.id), list(seen(stack, other.id).values())) == ({}, [1])


# ---- the queue -------------------------------------------------------------------------------------------------------


def test_a_message_is_handled_with_its_group_and_deleted(stack: LocalStack) -> None:
    errand = send(stack, MessageGroupId="whk_1")
    wait_until(lambda: stack.sources()["queues"]["millrace-Errands"] == {"visible": 0, "delayed": 0, "hidden": 0})

    assert seen(stack, errand) == {"whk_1": 1}


def test_a_delayed_message_waits_for_its_time(stack: LocalStack) -> None:
    errand = send(stack, DelaySeconds=900, MessageGroupId="whk_1")
    later = send(stack, MessageGroupId="whk_2")
    wait_until(lambda: seen(stack, later))
    assert stack.sources()["queues"]["millrace-Errands"]["delayed"] == 1
    assert seen(stack, errand) == {}

    stack.advance_queues(900)
    wait_until(lambda: seen(stack, errand))


@pytest.mark.parametrize("act", ["fail", "die once"])
def test_a_message_that_failed_comes_again_and_goes_to_the_dead_letters_in_the_end(stack: LocalStack, act: str) -> None:
    errand = send(stack, act, MessageGroupId="whk_1")
    wait_until(functools.partial(was_handled, stack, errand, 1))
    stack.advance_queues(600)
    wait_until(functools.partial(was_handled, stack, errand, 2))
    if act == "fail":  # a message that succeeds would come a third time if the clock was faster than its deletion
        stack.advance_queues(600)
    wait_until(lambda: stack.sources()["queues"]["millrace-Errands"] == {"visible": 0, "delayed": 0, "hidden": 0})

    letters = taken(stack, "millrace-ErrandsDeadLetters")
    assert [letter["errand"] for letter in letters] == ([errand] if act == "fail" else [])
