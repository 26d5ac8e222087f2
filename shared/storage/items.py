"""Reads of a table: one item by its key, or all that a query finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.storage.attributes import Item, to_item
from shared.storage.aws import dynamodb, storage_faults


def read_item(table: str, key: Mapping[str, str]) -> Item | None:
    """The item with every write that was answered before. Raises StorageThrottled, StorageUnavailable."""
    with storage_faults():
        found = dynamodb().get_item(TableName=table, Key=to_item(key), ConsistentRead=True)
    return found.get("Item")


def query_items(table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Item]:
    """The items of `query_pages`, one by one."""
    for page in query_pages(table, condition, values, **options):
        yield from page


def query_pages(table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Sequence[Item]]:
    """Whatever meets the key condition, as DynamoDB pages it; a page is asked for when the one before is used up.

    `options` are Query's own. Raises StorageThrottled, StorageUnavailable.
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
