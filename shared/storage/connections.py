"""Store connections in DynamoDB: `CONN#<id> / CONN`."""

from __future__ import annotations

from typing import Any

from shared.channel.connections import Connection
from shared.limits.records import VersionConflict
from shared.storage import keys
from shared.storage.attributes import from_item, to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults
from shared.storage.items import read_item


class DynamoConnectionStore:
    """The ConnectionStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def get(self, connection_id: str) -> Connection | None:
        item = read_item(self._table, keys.connection(connection_id))
        return None if item is None else Connection.model_validate(_own(item))

    def put_new(self, connection: Connection) -> None:
        with storage_faults():
            dynamodb().put_item(TableName=self._table, Item=_item(connection))

    def swap(self, connection: Connection) -> None:
        with refused_condition(lambda _: VersionConflict()):
            dynamodb().put_item(
                TableName=self._table,
                Item=_item(connection),
                ConditionExpression="#version = :before",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":before": {"N": str(connection.version - 1)}},
            )

    def remove(self, connection_id: str) -> None:
        with storage_faults():
            dynamodb().delete_item(TableName=self._table, Key=to_item(keys.connection(connection_id)))


def _item(connection: Connection) -> dict[str, Any]:
    values = {**keys.connection(connection.id), **connection.model_dump(), "expiresAt": connection.expires_at}
    return to_item(values)


def _own(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in from_item(item).items() if name not in {"PK", "SK", "expiresAt"}}
