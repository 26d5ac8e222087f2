"""Store the channel's subscriptions in DynamoDB: `TOPIC#<topic> / CONN#<id>`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.channel.subscriptions import Subscription
from shared.storage import keys
from shared.storage.attributes import to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.items import query_items, read_item


class DynamoSubscriptionStore:
    """The SubscriptionStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def put(self, subscription: Subscription, *, expires_at: int) -> None:
        key = keys.subscription(subscription.topic, subscription.connection_id)
        values = {**key, "position": subscription.position, "expiresAt": expires_at}
        with storage_faults():
            dynamodb().put_item(TableName=self._table, Item=to_item(values))

    def remove(self, topic: str, connection_id: str) -> None:
        with storage_faults():
            dynamodb().delete_item(TableName=self._table, Key=to_item(keys.subscription(topic, connection_id)))

    def has(self, topic: str, connection_id: str) -> bool:
        return read_item(self._table, keys.subscription(topic, connection_id)) is not None

    def of_topic(self, topic: str, *, consistent: bool = False) -> Sequence[Subscription]:
        found = query_items(self._table, "PK = :pk", {":pk": keys.topic_partition(topic)}, ConsistentRead=consistent)
        return [_subscription(topic, item) for item in found]


def _subscription(topic: str, item: Mapping[str, Any]) -> Subscription:
    connection_id = item["SK"]["S"].partition("#")[2]
    return Subscription(topic=topic, connection_id=connection_id, position=int(item["position"]["N"]))
