"""What everything is measured by: a handler with a DynamoDB client and one call, and nothing of ours."""

import os

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, str], _context: object) -> dict[str, bool]:
    found = dynamodb.get_item(TableName=os.environ["TABLE_NAME"], Key={"PK": {"S": event["PK"]}, "SK": {"S": "-"}})
    return {"found": "Item" in found}
