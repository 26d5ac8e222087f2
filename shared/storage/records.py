"""Store limits and idempotency keys in DynamoDB: small items per owner, which are written by compare-and-swap."""

from __future__ import annotations

import hashlib
from typing import Any

from shared.clock import Clock
from shared.jobs.idempotency import KeyClaim
from shared.jobs.store import PreparedWrites
from shared.limits.records import VersionConflict, Versioned
from shared.storage import keys
from shared.storage.attributes import from_item, to_item
from shared.storage.aws import dynamodb, refused_condition
from shared.storage.items import read_item


class DynamoRecordStore:
    """The RecordStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def load(self, owner: str, name: str, *, consistent: bool = True) -> Versioned:
        item = read_item(self._table, _key(owner, name), consistent=consistent)
        if item is None:
            return Versioned(0, "{}")
        stored = from_item(item)
        return Versioned(stored["version"], stored["text"])

    def swap(self, owner: str, name: str, record: Versioned, *, expires_at: int) -> None:
        values = {**_key(owner, name), "version": record.version + 1, "text": record.text, "expiresAt": expires_at}
        unchanged = "#version = :version" if record.version else "attribute_not_exists(PK)"
        expected: dict[str, Any] = (
            {
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(record.version)}},
            }
            if record.version
            else {}
        )
        with refused_condition(lambda _: VersionConflict()):
            dynamodb().put_item(TableName=self._table, Item=to_item(values), ConditionExpression=unchanged, **expected)


class DynamoIdempotencyKeys:
    """The IdempotencyKeys on a DynamoDB table; the port describes the methods.

    Keys are stored as hashes, because a client may choose any text as a key.
    """

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def find(self, owner: str, key: str) -> KeyClaim | None:
        item = read_item(self._table, _idempotency(owner, key))
        stored = from_item(item) if item else {}
        if not stored or stored["expiresAt"] <= self._clock().timestamp():
            return None
        own = {name: value for name, value in stored.items() if name not in {"PK", "SK", "expiresAt"}}
        return KeyClaim.model_validate(own)

    def claiming(self, owner: str, key: str, claim: KeyClaim, *, expires_at: int) -> PreparedWrites:
        put = {
            "TableName": self._table,
            "Item": to_item({**_idempotency(owner, key), **claim.model_dump(), "expiresAt": expires_at}),
            "ConditionExpression": "attribute_not_exists(PK) OR expiresAt <= :now",
            "ExpressionAttributeValues": {":now": {"N": str(int(self._clock().timestamp()))}},
        }
        return PreparedWrites(({"Put": put},))

    def release(self, owner: str, key: str, claim: KeyClaim) -> None:
        try:
            with refused_condition(lambda _: _NotHeld()):
                dynamodb().delete_item(
                    TableName=self._table,
                    Key=to_item(_idempotency(owner, key)),
                    ConditionExpression="jobId = :mine",
                    ExpressionAttributeValues={":mine": {"S": claim.job_id}},
                )
        except _NotHeld:
            return


class _NotHeld(Exception):
    """The claim does not hold the key, or no longer."""


def _key(owner: str, name: str) -> dict[str, str]:
    return {"PK": keys.user_partition(owner), "SK": keys.record(name)}


def _idempotency(owner: str, key: str) -> dict[str, str]:
    key_hash = hashlib.sha256(key.encode()).hexdigest()[:32]
    return {"PK": keys.user_partition(owner), "SK": keys.idempotency(key_hash)}
