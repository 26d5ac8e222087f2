"""Read, add and delete items of a table: one by its key, or all that a query finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.storage.attributes import Item, to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults


def read_item(table: str, key: Mapping[str, str], *, consistent: bool = True) -> Item | None:
    """Return the item; None if there is none. Raises the faults of `storage_faults`.

    Without `consistent`, at half the price, it can be the item as it was up to a second ago.
    """
    with storage_faults():
        found = dynamodb().get_item(TableName=table, Key=to_item(key), ConsistentRead=consistent)
    return found.get("Item")


def read_older_item(table: str, key: Mapping[str, str]) -> Item | None:
    """Return the item as `read_item` does without `consistent`. Read a missing item again, because it may be new."""
    return read_item(table, key, consistent=False) or read_item(table, key)


class _ItemExists(Exception):
    """There is an item with this key already."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the item exists")
        self.item = item


def put_if_absent(table: str, item: Item) -> Item | None:
    """Store the item and return None, or return the item with its key that is stored already.

    Raises the faults of `storage_faults`.
    """
    try:
        with refused_condition(_ItemExists):
            dynamodb().put_item(
                TableName=table,
                Item=item,
                ConditionExpression="attribute_not_exists(PK)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
    except _ItemExists as exists:
        return exists.item or item
    return None


def query_items(table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Item]:
    """Yield the items of `query_pages` one by one."""
    for page in query_pages(table, condition, values, **options):
        yield from page


def remove_partition(table: str, partition: str, *, last: str | None = None, keeping: str | None = None) -> None:
    """Delete all items of the partition, the one with the sort key `last` last, and not the one with `keeping`.

    Raises the faults of `storage_faults`. It can be repeated if it fails.
    """
    options = {"ConsistentRead": True, "ProjectionExpression": "PK, SK"}
    found = list(query_items(table, "PK = :pk", {":pk": partition}, **options))
    remove_items(table, [key for key in found if key["SK"]["S"] not in {last, keeping}])
    remove_items(table, [key for key in found if key["SK"]["S"] == last])


def remove_items(table: str, found: Sequence[Item]) -> None:
    """Delete the items with these keys, several at a time. Raises the faults of `storage_faults`."""
    for begin in range(0, len(found), AT_ONCE):
        deletes = [{"DeleteRequest": {"Key": key}} for key in found[begin : begin + AT_ONCE]]
        requests: Any = {table: deletes}
        while requests:
            with storage_faults():
                requests = dynamodb().batch_write_item(RequestItems=requests).get("UnprocessedItems")


AT_ONCE = 25
"""How many items DynamoDB deletes with one request, at most."""


def query_pages(table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Sequence[Item]]:
    """Yield the items that meet the key condition, in DynamoDB's pages. Each page is queried when it is needed.

    `options` are further parameters of Query. Raises the faults of `storage_faults`.
    """
    start: dict[str, Any] = {}
    while True:
        with storage_faults():
            page = dynamodb().query(
                TableName=table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
                **options,
                **start,
            )
        yield page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
