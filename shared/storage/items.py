"""Read a table: one item by its key, or all items that a query finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.storage.attributes import Item, to_item
from shared.storage.aws import dynamodb, storage_faults


def read_item(table: str, key: Mapping[str, str]) -> Item | None:
    """Return the item, strongly consistent; None if there is none. Raises the faults of `storage_faults`."""
    with storage_faults():
        found = dynamodb().get_item(TableName=table, Key=to_item(key), ConsistentRead=True)
    return found.get("Item")


def query_items(table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Item]:
    """Yield the items of `query_pages` one by one."""
    for page in query_pages(table, condition, values, **options):
        yield from page


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
