"""Write several items to DynamoDB in one transaction: all writes succeed or all fail."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import StorageThrottled
from shared.storage.aws import dynamodb, storage_faults

MAX_WRITES = 100
"""The largest number of writes that DynamoDB accepts in one transaction."""

MAX_ATTEMPTS = 8
"""Attempts before a transaction that meets other writers fails."""

PAUSE_SECONDS = 0.01
"""Half of the longest pause before the second attempt. The longest pause doubles with every further attempt."""

BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Codes with which DynamoDB cancels a transaction that may succeed a moment later."""


class ConditionsRefused(Exception):
    """The condition of at least one write did not hold, so nothing was written.

    `existing` has an entry for each write whose condition did not hold, by the write's index. The entry is the stored
    item if the write requested it by ReturnValuesOnConditionCheckFailure and the item exists, otherwise None.
    """

    def __init__(self, existing: Mapping[int, Mapping[str, Any] | None]) -> None:
        super().__init__(f"refused: writes {sorted(existing)}")
        self.existing = existing


def write_transaction(writes: Sequence[Mapping[str, Any]]) -> None:
    """Make all of these writes or none: at most MAX_WRITES TransactItems, of at most 4 MB together.

    If another request writes to the same items at the same moment, DynamoDB cancels one of the two. This function then
    makes another attempt, at most MAX_ATTEMPTS in all.

    Raises:
        ValueError: there are more than MAX_WRITES.
        ConditionsRefused: a condition does not hold.
        StorageThrottled: every attempt met another writer, or DynamoDB throttles.
        StorageUnavailable: DynamoDB could not be reached.
    """
    if len(writes) > MAX_WRITES:
        raise ValueError(f"a transaction has {len(writes)} writes; DynamoDB accepts at most {MAX_WRITES}")
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, PAUSE_SECONDS * 2**attempt))  # noqa: S311 - not a secret
        reasons = _cancellation_reasons(writes)
        if reasons is None:
            return
        refused = {
            index: reason.get("Item")
            for index, reason in enumerate(reasons)
            if _code(reason) == "ConditionalCheckFailed"
        }
        if refused:
            raise ConditionsRefused(refused)
    raise StorageThrottled("the database is busy with other writes to the same items; try again")


def _cancellation_reasons(writes: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]] | None:
    """Make the writes; return None if they succeeded, or DynamoDB's reason for each write if it cancelled them."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as in shared/storage/aws.py

    try:
        with storage_faults():
            dynamodb().transact_write_items(TransactItems=writes)  # type: ignore[arg-type]  # built as plain dicts
    except ClientError as error:
        # botocore retries a call whose response was lost with the same token, while the first call may still run.
        if error.response["Error"]["Code"] == "TransactionInProgressException":
            return ()
        reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons", ())
        if {_code(reason) for reason in reasons} & {"ConditionalCheckFailed", *BUSY}:
            return reasons
        raise
    return None


def _code(reason: Mapping[str, Any]) -> str:
    return str(reason.get("Code"))
