"""Keep a model's decisions for a day in DynamoDB, by their owner and the digest of all that they depend on."""

from __future__ import annotations

import json
from typing import Any

from shared.apps.video.brain.cache import KEPT_SECONDS
from shared.clock import Clock
from shared.storage import keys
from shared.storage.attributes import from_item, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.items import read_item


class DynamoDecisionCache:
    """The DecisionCache on the table of jobs, whose items expire; the port describes the methods."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def get(self, owner: str, key: str) -> dict[str, Any] | None:
        item = read_item(self._table, _key(owner, key))
        stored = from_item(item) if item else {}
        if not stored or stored["expiresAt"] <= self._clock().timestamp():
            return None
        decision: dict[str, Any] = json.loads(stored["decision"])
        return decision

    def put(self, owner: str, key: str, decision: dict[str, Any]) -> None:
        expires_at = int(self._clock().timestamp()) + KEPT_SECONDS
        item = {**_key(owner, key), "decision": json.dumps(decision, ensure_ascii=False), "expiresAt": expires_at}
        with storage_faults():
            dynamodb().put_item(TableName=self._table, Item=to_item(item))


def _key(owner: str, key: str) -> dict[str, str]:
    return {"PK": keys.user_partition(owner), "SK": f"DECISION#{key}"}
