"""Keep the secret keys that make owners' pseudonyms in the usage ledger, one item per owner in DynamoDB."""

from __future__ import annotations

import secrets

from shared.storage import keys
from shared.storage.attributes import to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.items import put_if_absent, read_older_item

KEY_BYTES = 32


class DynamoOwnerKeys:
    """The OwnerKeys on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def of(self, owner: str, *, create: bool) -> bytes | None:
        stored = read_older_item(self._table, keys.ledger_key(owner))
        if stored is None and create:
            made = to_item({**keys.ledger_key(owner), "key": secrets.token_hex(KEY_BYTES)})
            stored = put_if_absent(self._table, made) or made  # another process may have been faster
        return None if stored is None else bytes.fromhex(stored["key"]["S"])

    def erase(self, owner: str) -> bool:
        with storage_faults():
            deleted = dynamodb().delete_item(
                TableName=self._table, Key=to_item(keys.ledger_key(owner)), ReturnValues="ALL_OLD"
            )
        return "Attributes" in deleted
