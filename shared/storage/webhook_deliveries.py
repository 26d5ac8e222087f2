"""Store deliveries in DynamoDB, each in one item and its body in another, and put them into their SQS queue.

An attempt rewrites the small item only. One partition has all deliveries of an owner, so one query finds them.
"""

from __future__ import annotations

import json
import math
import secrets
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.storage import keys
from shared.storage.attributes import Item, from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, refused_condition, sqs, storage_faults
from shared.storage.cursors import decode_cursor, encode_cursor
from shared.storage.items import put_if_absent, query_items, read_item
from shared.storage.sweepable import INDEX, sweep_mark, sweep_time
from shared.webhooks.delivery import DELIVERY_ID, Delivery, DeliveryRef, DeliveryStatus
from shared.webhooks.delivery_store import DeliveryChanged, DeliveryPage

SHARDS = 8
"""How many partitions the index of due deliveries has: each takes a thousand writes a second."""

LOOKED_AT = 1000
"""How many deliveries a page with a status looks at, at most."""

_NOT_FIELDS = frozenset({"PK", "SK", "sweep", "sweepAt"})


class _Refused(Exception):
    """The condition of the write does not hold; `item` is what is stored."""

    def __init__(self, item: Mapping[str, Any] | None) -> None:
        super().__init__()
        self.item = item


class DynamoDeliveryStore:
    """The DeliveryStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def put_new(self, delivery: Delivery, body: str) -> Delivery:
        # The body first: a delivery that is stored has one.
        key = keys.delivery_body(*delivery.ref)
        put_if_absent(self._table, to_item({**key, "body": body, "expiresAt": delivery.expires_at}))
        new = delivery.model_copy(update={"revision": secrets.token_hex(8)})
        existing = put_if_absent(self._table, _item(new))
        return new if existing is None else _delivery(existing)

    def get(self, ref: DeliveryRef) -> Delivery | None:
        item = read_item(self._table, keys.delivery(*ref))
        delivery = None if item is None else _delivery(item)
        return delivery if delivery is not None and self._kept(delivery) else None

    def body(self, ref: DeliveryRef) -> str | None:
        item = read_item(self._table, keys.delivery_body(*ref))
        return None if item is None else str(item["body"]["S"])

    def replace(self, before: Delivery, after: Delivery) -> Delivery:
        stored = after.model_copy(update={"revision": secrets.token_hex(8)})
        try:
            with refused_condition(_Refused):
                dynamodb().put_item(
                    TableName=self._table,
                    Item=_item(stored),
                    ConditionExpression="revision = :before",
                    ExpressionAttributeValues={":before": to_attribute(before.revision)},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except _Refused as refused:
            # botocore repeats a write whose response was lost; then the stored delivery is the one that we write.
            if refused.item is None or _delivery(refused.item) != stored:
                raise DeliveryChanged from None
        return stored

    def list_of(
        self, owner: str, endpoint_id: str, *, status: DeliveryStatus | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        before = decode_cursor(cursor, DELIVERY_ID) if cursor is not None else "dlv_~"
        between = (f"{endpoint_id}#dlv_", f"{endpoint_id}#{before}")
        found: list[Delivery] = []
        for looked_at, delivery in enumerate(self._between(owner, between, forward=False, page=limit + 1), start=1):
            if delivery.id == before or not self._kept(delivery):
                continue
            if len(found) == limit:
                return DeliveryPage(found, encode_cursor(found[-1].id))
            if status in {None, delivery.status}:
                found.append(delivery)
            if looked_at >= LOOKED_AT:
                return DeliveryPage(found, encode_cursor(delivery.id))
        return DeliveryPage(found, None)

    def list_since(self, owner: str, endpoint_id: str, *, first_id: str, limit: int) -> DeliveryPage:
        between = (f"{endpoint_id}#{first_id}", f"{endpoint_id}#dlv_~")
        found: list[Delivery] = []
        for delivery in self._between(owner, between, forward=True, page=limit + 1):
            if len(found) == limit:
                return DeliveryPage(found, delivery.id)
            if self._kept(delivery):
                found.append(delivery)
        return DeliveryPage(found, None)

    def due(self, until: datetime) -> Iterator[DeliveryRef]:
        first = int(until.timestamp() // 60) % SHARDS  # another one each time: none waits always for the others
        for shard in range(first, first + SHARDS):
            values = {":sweep": _shard(shard % SHARDS), ":until": sweep_time(until)}
            condition = "sweep = :sweep AND sweepAt <= :until"
            for item in query_items(self._table, condition, values, IndexName=INDEX, Limit=100):
                endpoint_id, _, delivery_id = item["SK"]["S"].partition("#")
                yield DeliveryRef(keys.id_in(item), endpoint_id, delivery_id)

    def erase_some(self, owner: str, *, most: int) -> int:
        values = {":owner": keys.delivery_partition(owner)}
        found = query_items(
            self._table, "PK = :owner", values, Limit=most, ConsistentRead=True, ProjectionExpression="PK, SK"
        )
        erased = 0
        for item in found:
            if erased == most:
                break
            with storage_faults():
                dynamodb().delete_item(TableName=self._table, Key={"PK": item["PK"], "SK": item["SK"]})
            erased += 1
        return erased

    def _between(self, owner: str, between: tuple[str, str], *, forward: bool, page: int) -> Iterator[Delivery]:
        """Yield the deliveries between these sort keys, both included."""
        values = {":owner": keys.delivery_partition(owner), ":first": between[0], ":last": between[1]}
        condition = "PK = :owner AND SK BETWEEN :first AND :last"
        options = {"ScanIndexForward": forward, "ConsistentRead": True, "Limit": page}
        yield from (_delivery(item) for item in query_items(self._table, condition, values, **options))

    def _kept(self, delivery: Delivery) -> bool:
        """Return whether the delivery has not expired, because DynamoDB deletes expired items only some time later."""
        return delivery.expires_at > self._clock().timestamp()


class SqsDeliveryQueue:
    """The DeliveryQueue on SQS: a standard queue, which serves endpoints fairly because each is a message group."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, ref: DeliveryRef, *, delay: timedelta = timedelta()) -> None:
        with storage_faults():
            sqs().send_message(
                QueueUrl=self._url,
                MessageBody=json.dumps(ref.as_message()),
                MessageGroupId=ref.endpoint_id,
                DelaySeconds=math.ceil(delay.total_seconds()),
            )


def _shard(number: int) -> str:
    return f"delivery#{number}"


def _item(delivery: Delivery) -> Item:
    """Return the delivery's item. Only one with `due_at` is in the index of due deliveries."""
    due: Mapping[str, str] = {}
    if delivery.due_at is not None:
        due = sweep_mark(_shard(zlib.crc32(delivery.id.encode()) % SHARDS), delivery.due_at)
    values = delivery.model_dump(mode="json", exclude_none=True)
    return to_item({**keys.delivery(*delivery.ref), **values, **due})


def _delivery(item: Mapping[str, Any]) -> Delivery:
    return Delivery.model_validate({name: value for name, value in from_item(item).items() if name not in _NOT_FIELDS})
