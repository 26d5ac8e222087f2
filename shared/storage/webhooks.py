"""Store webhook endpoints in DynamoDB: one partition for each owner, so that one query returns all of them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from shared.jobs.store import PreparedWrites, SideWriteConflict
from shared.storage import keys
from shared.storage.attributes import from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, refused_condition
from shared.storage.items import query_items, read_item
from shared.storage.transactions import ConditionsRefused, write_transaction
from shared.webhooks.endpoint import WebhookEndpoint
from shared.webhooks.store import EndpointChanged, EndpointLimitReached


class DynamoWebhookStore:
    """The WebhookStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def put_new(self, endpoint: WebhookEndpoint, *, limit: int, also: PreparedWrites | None = None) -> None:
        count = {
            "TableName": self._table,
            "Key": to_item(keys.webhook_count(endpoint.owner)),
            "UpdateExpression": "ADD #count :one",
            "ConditionExpression": "attribute_not_exists(#count) OR #count < :limit",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":one": to_attribute(1), ":limit": to_attribute(limit)},
        }
        put = {"Put": self._put(endpoint, "attribute_not_exists(PK)")}
        try:
            write_transaction([put, {"Update": count}, *(also.writes if also else ())])
        except ConditionsRefused as refused:
            if 0 in refused.existing:
                _check_own_write(refused, endpoint)
            elif refused.existing.keys() == {1}:
                raise EndpointLimitReached from None
            else:
                raise SideWriteConflict from None

    def get(self, owner: str, endpoint_id: str) -> WebhookEndpoint | None:
        item = read_item(self._table, keys.webhook(owner, endpoint_id))
        return None if item is None else _endpoint(item)

    def list_of(self, owner: str) -> Sequence[WebhookEndpoint]:
        values = {":owner": keys.webhook_partition(owner)}
        items = query_items(self._table, "PK = :owner", values, ConsistentRead=True, ScanIndexForward=False)
        return [_endpoint(item) for item in items]

    def replace(self, before: WebhookEndpoint, after: WebhookEndpoint) -> WebhookEndpoint:
        stored = after.model_copy(update={"revision": secrets.token_hex(8)})
        put = self._put(stored, "revision = :before")
        try:
            with refused_condition(lambda existing: ConditionsRefused({0: existing})):
                dynamodb().put_item(**put, ExpressionAttributeValues={":before": to_attribute(before.revision)})
        except ConditionsRefused as refused:
            _check_own_write(refused, stored)
        return stored

    def remove(self, owner: str, endpoint_id: str) -> None:
        deletion = {
            "TableName": self._table,
            "Key": to_item(keys.webhook(owner, endpoint_id)),
            "ConditionExpression": "attribute_exists(PK)",
        }
        count = {
            "TableName": self._table,
            "Key": to_item(keys.webhook_count(owner)),
            "UpdateExpression": "ADD #count :less",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":less": to_attribute(-1)},
        }
        with contextlib.suppress(ConditionsRefused):  # there is none, or an earlier call has deleted it
            write_transaction([{"Delete": deletion}, {"Update": count}])

    def _put(self, endpoint: WebhookEndpoint, condition: str) -> dict[str, Any]:
        values = endpoint.model_dump(mode="json", exclude_none=True)
        return {
            "TableName": self._table,
            "Item": to_item({**keys.webhook(endpoint.owner, endpoint.id), **values}),
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _check_own_write(refused: ConditionsRefused, endpoint: WebhookEndpoint) -> None:
    """Do nothing if the stored endpoint is the one that we write: botocore retries a write whose response was lost.

    Raises EndpointChanged if another one is stored, or none.
    """
    stored = refused.existing.get(0)
    if not stored or _endpoint(stored) != endpoint:
        raise EndpointChanged from None


def _endpoint(item: Mapping[str, Any]) -> WebhookEndpoint:
    values = {name: value for name, value in from_item(item).items() if name not in {"PK", "SK"}}
    return WebhookEndpoint.model_validate(values)
