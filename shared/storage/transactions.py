"""Writes to DynamoDB that happen together or not at all."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import StorageThrottled
from shared.storage.aws import dynamodb, storage_faults

ATTEMPTS = 8
PAUSE_SECONDS = 0.01
"""Before the second attempt; twice as long, at most, before each further one."""

BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Why DynamoDB cancels what would have been fine a moment later."""


class ConditionsRefused(Exception):
    """At least one write's condition did not hold, so none was made.

    `existing` has for each write whose condition was refused, by its place, the item that stands in its way, as far as
    ReturnValuesOnConditionCheckFailure asked for it; None where there is none.
    """

    def __init__(self, existing: Mapping[int, Mapping[str, Any] | None]) -> None:
        super().__init__(f"refused: writes {sorted(existing)}")
        self.existing = existing


def write_together(writes: Sequence[Mapping[str, Any]]) -> None:
    """Make all these writes (TransactItems: at most 100, of 4 MB together), or none.

    Whoever writes to the same items at the same moment makes DynamoDB cancel one of the two, which is then tried again.
    Raises ConditionsRefused, StorageThrottled, StorageUnavailable.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311 - not a secret
        reasons = _cancellation(writes)
        if reasons is None:
            return
        refused = {
            place: reason.get("Item")
            for place, reason in enumerate(reasons)
            if _code(reason) == "ConditionalCheckFailed"
        }
        if refused:
            raise ConditionsRefused(refused)
    raise StorageThrottled("the database is busy with the same items")


def _cancellation(writes: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]] | None:
    """Why DynamoDB cancelled the transaction, write by write; None when it went through."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as in shared/storage/aws.py

    try:
        with storage_faults():
            dynamodb().transact_write_items(TransactItems=writes)  # type: ignore[arg-type]  # built by callers
    except ClientError as error:
        # Botocore repeats a call whose answer was lost with the same token, and may meet the first one under way.
        if error.response["Error"]["Code"] == "TransactionInProgressException":
            return ()
        reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons", ())
        if {_code(reason) for reason in reasons} & {"ConditionalCheckFailed", *BUSY}:
            return reasons
        raise
    return None


def _code(reason: Mapping[str, Any]) -> str:
    return str(reason.get("Code"))
