"""moto's SQS has the internals that the local stack uses, and messages do what those of AWS do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.utils import unix_time_millis
from moto.sqs.models import sqs_backends

from local.aws.deliveries import Outcome, Record
from local.aws.moto_sqs import MotoQueues
from local.aws.queue_poller import QueuePoller
from local.template.event_sources import Queue, QueueSource, queue_arn
from local.template.intrinsics import ACCOUNT, REGION

ERRANDS, LETTERS = "contract-errands", "contract-letters"


@pytest.fixture
def queues() -> Iterator[MotoQueues]:
    yield MotoQueues(
        [
            Queue(LETTERS, queue_arn(LETTERS), {}),
            Queue(ERRANDS, queue_arn(ERRANDS), {"VisibilityTimeout": "60"}, queue_arn(LETTERS), 2),
        ]
    )
    for name in (ERRANDS, LETTERS):
        sqs_backends[ACCOUNT][REGION].delete_queue(name)


def send(queues: MotoQueues, *numbers: int, **options: Any) -> None:
    backend = sqs_backends[ACCOUNT][REGION]
    for number in numbers:
        queues.call(lambda number=number: backend.send_message(ERRANDS, json.dumps(number), **options))  # type: ignore[misc]


def numbers(records: list[Any]) -> list[int]:
    return [json.loads(each["body"]) for each in records]


def counts(queues: MotoQueues, name: str = ERRANDS) -> tuple[int, int, int]:
    found = queues.as_json()[name]
    return found["visible"], found["delayed"], found["hidden"]


def test_a_received_message_is_hidden_until_its_time_is_over(
    queues: MotoQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = unix_time_millis()
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: now)  # a busy machine may take longer than a second
    send(queues, 1, 2, 3)
    assert numbers(queues.receive(ERRANDS, 2)) == [1, 2]
    assert counts(queues) == (1, 0, 2)
    queues.advance(59)
    assert numbers(queues.receive(ERRANDS, 10)) == [3]
    queues.advance(2)
    assert sorted(numbers(queues.receive(ERRANDS, 10))) == [1, 2]


def test_a_delayed_message_is_not_received_before_its_time(queues: MotoQueues) -> None:
    send(queues, 1, delay_seconds=900)
    assert (queues.receive(ERRANDS, 10), counts(queues)) == ([], (0, 1, 0))
    wait = queues.seconds_to_next(ERRANDS)
    assert wait is not None
    assert 0 < wait <= 900.1
    queues.advance(901)
    assert numbers(queues.receive(ERRANDS, 10)) == [1]


def test_a_record_has_what_lambda_hands_over(queues: MotoQueues) -> None:
    send(queues, 1, group_id="whk_1", message_attributes={"kind": {"DataType": "String", "StringValue": "x"}})
    (record,) = queues.receive(ERRANDS, 1)

    assert record["attributes"]["MessageGroupId"] == "whk_1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert int(record["attributes"]["SentTimestamp"]) > 1_700_000_000_000
    assert record["messageAttributes"] == {"kind": {"dataType": "String", "stringValue": "x"}}
    assert (record["eventSource"], record["eventSourceARN"]) == ("aws:sqs", queue_arn(ERRANDS))


def test_a_deleted_message_does_not_come_again_and_moto_forgets_its_handle(queues: MotoQueues) -> None:
    send(queues, 1)
    (record,) = queues.receive(ERRANDS, 1)
    queues.delete(ERRANDS, [record["receiptHandle"], "no handle"])

    assert counts(queues) == (0, 0, 0)
    assert queues.seconds_to_next(ERRANDS) is None
    assert sqs_backends[ACCOUNT][REGION].get_queue(ERRANDS).deleted_messages == set()


def test_a_message_that_was_received_too_often_goes_to_the_dead_letters(queues: MotoQueues) -> None:
    send(queues, 1)
    for _ in range(2):
        assert numbers(queues.receive(ERRANDS, 1)) == [1]
        queues.advance(61)
    assert queues.receive(ERRANDS, 1) == []
    assert (counts(queues), counts(queues, LETTERS)) == ((0, 0, 0), (1, 0, 0))


def test_a_message_that_is_put_back_was_not_received(queues: MotoQueues) -> None:
    send(queues, 1)
    for _ in range(5):
        (record,) = queues.receive(ERRANDS, 1)
        queues.put_back(ERRANDS, [record["receiptHandle"]])
    (record,) = queues.receive(ERRANDS, 1)
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


# ---- the poller --------------------------------------------------------------------------------------------------


def after(queues: MotoQueues, outcome: Any, *, partial: bool = True) -> list[int]:
    """Deliver the messages 1, 2 and 3 in one batch, and return those that remain in the queue."""
    send(queues, 1, 2, 3)
    source = QueueSource("f", "F", ERRANDS, 10, partial, 1)
    poller = QueuePoller(source, queues, outcome, pause=lambda _: None)
    poller.handle(poller.next_batch())
    queues.advance(61)
    return sorted(numbers(queues.receive(ERRANDS, 10)))


def failing(*wanted: int) -> Any:
    def outcome(records: list[Record]) -> Outcome:
        failed = [each["messageId"] for each in records if json.loads(each["body"]) in wanted]
        return Outcome(ran=True, response={"batchItemFailures": [{"itemIdentifier": each} for each in failed]})

    return outcome


def test_messages_that_failed_stay_and_the_others_are_deleted(queues: MotoQueues) -> None:
    assert after(queues, failing(2)) == [2]


def test_all_messages_stay_if_the_function_failed(queues: MotoQueues) -> None:
    assert after(queues, lambda _: Outcome(ran=True, failed=True)) == [1, 2, 3]


def test_all_messages_stay_if_the_report_names_another(queues: MotoQueues) -> None:
    response = {"batchItemFailures": [{"itemIdentifier": "another"}]}
    assert after(queues, lambda _: Outcome(ran=True, response=response)) == [1, 2, 3]


def test_a_report_has_no_effect_unless_the_source_asks_for_reports(queues: MotoQueues) -> None:
    assert after(queues, failing(2), partial=False) == []


def test_messages_are_put_back_at_once_if_the_function_could_not_be_invoked(queues: MotoQueues) -> None:
    assert after(queues, lambda _: Outcome(ran=False)) == [1, 2, 3]
