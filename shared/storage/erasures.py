"""Store erasures in the table of jobs, which has no recovery in time: `ERASURE#<id>` and `USER#<owner> / ERASURE`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.clock import Clock
from shared.erasure.erasure import Erasure
from shared.erasure.store import AlreadyClosed, ClosingMark
from shared.storage import keys
from shared.storage.attributes import from_item, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.items import read_item
from shared.storage.transactions import ConditionsRefused, write_transaction

BODY = "body"
"""The attribute with the erasure as JSON."""


class DynamoErasureStore:
    """The ErasureStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def mark_of(self, owner: str) -> ClosingMark | None:
        item = read_item(self._table, keys.closing_mark(owner))
        if item is None:
            return None
        stored = from_item(item)
        return ClosingMark(stored["erasureId"], datetime.fromisoformat(stored["until"]))

    def open(self, owner: str, erasure: Erasure) -> None:
        mark = {"erasureId": erasure.id, "until": erasure.settles_at.isoformat()}
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": to_item({**keys.closing_mark(owner), **mark}),
            "ConditionExpression": "attribute_not_exists(PK) OR erasureId = :mine",
            "ExpressionAttributeValues": {":mine": {"S": erasure.id}},
        }
        try:
            write_transaction([{"Put": put}, {"Put": {"TableName": self._table, "Item": _item(erasure)}}])
        except ConditionsRefused as refused:
            raise AlreadyClosed from refused

    def get(self, erasure_id: str) -> Erasure | None:
        item = read_item(self._table, keys.erasure(erasure_id))
        expires_at = from_item(item).get("expiresAt") if item else None
        if item is None or (expires_at is not None and expires_at <= self._clock().timestamp()):
            return None
        return Erasure.model_validate_json(item[BODY]["S"])

    def save(self, erasure: Erasure) -> None:
        with storage_faults():
            dynamodb().put_item(TableName=self._table, Item=_item(erasure))

    def close(self, owner: str, erasure: Erasure, *, expires_at: int) -> None:
        delete = {"TableName": self._table, "Key": to_item(keys.closing_mark(owner))}
        put = {"TableName": self._table, "Item": {**_item(erasure), **to_item({"expiresAt": expires_at})}}
        write_transaction([{"Delete": delete}, {"Put": put}])


def _item(erasure: Erasure) -> dict[str, Any]:
    return to_item({**keys.erasure(erasure.id), BODY: erasure.model_dump_json()})
