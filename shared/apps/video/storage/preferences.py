"""Store preferences in DynamoDB: one item for a user, and one for each project that has its own."""

from __future__ import annotations

from typing import Any

from shared.apps.video.preferences import Preferences, PreferenceScope, StalePreferences
from shared.apps.video.storage.projects import project_partition, project_presence
from shared.jobs.store import PreparedWrites
from shared.storage import keys
from shared.storage.attributes import to_attribute, to_item
from shared.storage.items import read_item
from shared.storage.transactions import ConditionsRefused, write_transaction


class DynamoPreferenceStore:
    """The PreferenceStore on the table of what does not expire; the port describes the methods."""

    def __init__(self, table: str) -> None:
        self._table = table

    def get(self, scope: PreferenceScope) -> Preferences:
        item = read_item(self._table, _key(scope))
        return Preferences.model_validate_json(item["body"]["S"]) if item else Preferences()

    def save(self, scope: PreferenceScope, preferences: Preferences) -> None:
        check = () if scope.project_id is None else (project_presence(self._table, scope.project_id),)
        try:
            write_transaction((*self.prepare(scope, preferences).writes, *check))
        except ConditionsRefused as refused:
            raise StalePreferences from refused

    def prepare(self, scope: PreferenceScope, preferences: Preferences) -> PreparedWrites:
        item = {**_key(scope), "version": preferences.version, "body": preferences.model_dump_json()}
        put: dict[str, Any] = {"TableName": self._table, "Item": to_item(item)}
        if preferences.version == 1:
            put["ConditionExpression"] = "attribute_not_exists(PK)"
        else:
            put["ConditionExpression"] = "#version = :before"
            put["ExpressionAttributeNames"] = {"#version": "version"}
            put["ExpressionAttributeValues"] = {":before": to_attribute(preferences.version - 1)}
        return PreparedWrites(({"Put": put},))


def _key(scope: PreferenceScope) -> dict[str, str]:
    partition = keys.user_partition(scope.owner) if scope.project_id is None else project_partition(scope.project_id)
    return {"PK": partition, "SK": "PREFS#video"}
