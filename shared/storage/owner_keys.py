"""Keep the secret keys that make owners' pseudonyms in the usage ledger, one item per owner in DynamoDB."""

from __future__ import annotations

import secrets
from typing import Any

from shared.storage import keys
from shared.storage.attributes import to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults
from shared.storage.items import read_item

KEY_BYTES = 32


class DynamoOwnerKeys:
    """The OwnerKeys on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def of(self, owner: str, *, create: bool) -> bytes | None:
        stored = read_item(self._table, keys.ledger_key(owner))
        if stored is None and create:
            stored = self._made(owner)
        return None if stored is None else bytes.fromhex(stored["key"]["S"])

    def erase(self, owner: str) -> bool:
        with storage_faults():
            deleted = dynamodb().delete_item(
                TableName=self._table, Key=to_item(keys.ledger_key(owner)), ReturnValues="ALL_OLD"
            )
        return "Attributes" in deleted

    def _made(self, owner: str) -> dict[str, Any]:
        """Store a new key, and return its item, or that of the process that was faster."""
        item = to_item({**keys.ledger_key(owner), "key": secrets.token_hex(KEY_BYTES)})
        try:
            with refused_condition(_KeyExists):
                dynamodb().put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(PK)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except _KeyExists as exists:
            return exists.item
        return item


class _KeyExists(Exception):
    """The owner has a key; `item` is its item."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the owner has a key")
        self.item = item
