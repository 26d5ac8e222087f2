"""Cancelled DynamoDB transactions: which are tried again, and which are not."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.errors import StorageThrottled
from shared.storage import transactions
from shared.storage.transactions import MAX_ATTEMPTS, ConditionsRefused, write_transaction

NO_REASON = {"Code": "None"}
CONFLICT = {"Code": "TransactionConflict"}
REFUSED = {"Code": "ConditionalCheckFailed", "Item": {"PK": {"S": "stored"}}}
REFUSED_WITHOUT_ITEM = {"Code": "ConditionalCheckFailed"}


def cancelled(*reasons: dict[str, Any]) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": list(reasons),
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(response, "TransactWriteItems")


def client_error(code: str) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, "TransactWriteItems")


class Dynamo:
    """Raises the next of these errors at each call; None succeeds."""

    def __init__(self, *outcomes: ClientError | None) -> None:
        self._outcomes = list(outcomes)
        self.calls = 0

    def transact_write_items(self, *, TransactItems: Any) -> None:  # noqa: N803 - boto3's name
        self.calls += 1
        outcome = self._outcomes.pop(0)
        if outcome is not None:
            raise outcome


def test_more_writes_than_dynamodb_accepts_are_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamo = Dynamo(None)
    monkeypatch.setattr(transactions, "dynamodb", lambda: dynamo)
    with pytest.raises(ValueError, match="101 writes; DynamoDB accepts at most 100"):
        write_transaction([{}] * 101)
    write_transaction([{}] * 100)
    assert dynamo.calls == 1


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


def use_dynamo(monkeypatch: pytest.MonkeyPatch, *outcomes: ClientError | None) -> Dynamo:
    dynamo = Dynamo(*outcomes)
    monkeypatch.setattr(transactions, "dynamodb", lambda: dynamo)
    return dynamo


@pytest.mark.parametrize(
    "busy",
    [
        cancelled(NO_REASON, CONFLICT),
        cancelled({"Code": "ThrottlingError"}, NO_REASON),
        cancelled({"Code": "ProvisionedThroughputExceeded"}),
        client_error("TransactionInProgressException"),
    ],
)
def test_a_busy_transaction_is_tried_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], busy: ClientError
) -> None:
    dynamo = use_dynamo(monkeypatch, busy, busy, None)
    write_transaction([{}])
    assert (dynamo.calls, len(pauses)) == (3, 2)


def test_a_transaction_that_stays_busy_is_throttled(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    use_dynamo(monkeypatch, *[cancelled(CONFLICT)] * MAX_ATTEMPTS)
    with pytest.raises(StorageThrottled):
        write_transaction([{}])
    assert sum(pauses) < 3


def test_refused_conditions_are_reported_by_index_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamo = use_dynamo(monkeypatch, cancelled(NO_REASON, REFUSED, CONFLICT, REFUSED_WITHOUT_ITEM))
    with pytest.raises(ConditionsRefused) as refusal:
        write_transaction([{}])
    assert refusal.value.existing == {1: {"PK": {"S": "stored"}}, 3: None}
    assert dynamo.calls == 1


@pytest.mark.parametrize("mistake", [cancelled({"Code": "ValidationError"}), client_error("ValidationException")])
def test_an_invalid_transaction_raises_its_own_error(monkeypatch: pytest.MonkeyPatch, mistake: ClientError) -> None:
    use_dynamo(monkeypatch, mistake)
    with pytest.raises(ClientError):
        write_transaction([{}])


def test_a_throttled_transaction_raises_the_same_error_as_other_throttled_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_dynamo(monkeypatch, client_error("ThrottlingException"))
    with pytest.raises(StorageThrottled):
        write_transaction([{}])
