"""What a table of the stack has of one partition."""

from __future__ import annotations

from typing import Any

from local.stack import ROOT, LocalStack
from local.template.template import Template


def stored_items(stack: LocalStack, table: str, partition: str) -> list[dict[str, Any]]:
    """Return the partition's items in DynamoDB's JSON, in the order of their sort keys.

    `table` is the logical id of the table in the template.
    """
    name = next(each.name for each in Template(ROOT / "template.yaml").tables if each.logical_id == table)
    pages = (
        stack.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=name,
            KeyConditionExpression="PK = :partition",
            ExpressionAttributeValues={":partition": {"S": partition}},
            ConsistentRead=True,
        )
    )
    return [item for page in pages for item in page["Items"]]
