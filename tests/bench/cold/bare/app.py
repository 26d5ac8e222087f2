"""The bare handler, for comparison: a DynamoDB client and one call, without Millrace's code."""

import os

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, str], _context: object) -> dict[str, bool]:
    found = dynamodb.get_item(TableName=os.environ["TABLE_NAME"], Key={"PK": {"S": event["PK"]}, "SK": {"S": "-"}})
    return {"found": "Item" in found}
