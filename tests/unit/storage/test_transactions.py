"""Transactions that DynamoDB cancels: what is tried again, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.errors import StorageThrottled
from shared.storage import transactions
from shared.storage.transactions import MAX_ATTEMPTS, ConditionsRefused, write_transaction

FINE = {"Code": "None"}
CONFLICT = {"Code": "TransactionConflict"}
REFUSED = {"Code": "ConditionalCheckFailed", "Item": {"PK": {"S": "stands"}}}
REFUSED_NOTHING_THERE = {"Code": "ConditionalCheckFailed"}


def cancelled(*reasons: dict[str, Any]) -> ClientError:
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": list(reasons),
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(answer, "TransactWriteItems")


def refused_as(code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, "TransactWriteItems")


class Dynamo:
    """Answers each call with the next of these."""

    def __init__(self, *answers: ClientError | None) -> None:
        self._answers = list(answers)
        self.calls = 0

    def transact_write_items(self, *, TransactItems: Any) -> None:  # noqa: N803 - boto3's name
        self.calls += 1
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


def meet(monkeypatch: pytest.MonkeyPatch, *answers: ClientError | None) -> Dynamo:
    dynamo = Dynamo(*answers)
    monkeypatch.setattr(transactions, "dynamodb", lambda: dynamo)
    return dynamo


@pytest.mark.parametrize(
    "busy",
    [
        cancelled(FINE, CONFLICT),
        cancelled({"Code": "ThrottlingError"}, FINE),
        cancelled({"Code": "ProvisionedThroughputExceeded"}),
        refused_as("TransactionInProgressException"),
    ],
)
def test_what_is_busy_is_tried_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], busy: ClientError
) -> None:
    dynamo = meet(monkeypatch, busy, busy, None)
    write_transaction([{}])
    assert (dynamo.calls, len(pauses)) == (3, 2)


def test_what_stays_busy_is_throttled(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    meet(monkeypatch, *[cancelled(CONFLICT)] * MAX_ATTEMPTS)
    with pytest.raises(StorageThrottled):
        write_transaction([{}])
    assert sum(pauses) < 3


def test_refused_conditions_are_told_by_place_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamo = meet(monkeypatch, cancelled(FINE, REFUSED, CONFLICT, REFUSED_NOTHING_THERE))
    with pytest.raises(ConditionsRefused) as refusal:
        write_transaction([{}])
    assert refusal.value.existing == {1: {"PK": {"S": "stands"}}, 3: None}
    assert dynamo.calls == 1


@pytest.mark.parametrize("mistake", [cancelled({"Code": "ValidationError"}), refused_as("ValidationException")])
def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch, mistake: ClientError) -> None:
    meet(monkeypatch, mistake)
    with pytest.raises(ClientError):
        write_transaction([{}])


def test_a_throttled_call_is_what_it_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, refused_as("ThrottlingException"))
    with pytest.raises(StorageThrottled):
        write_transaction([{}])
