"""Store agents in DynamoDB: one item for the latest version, and one for each replaced version until it expires."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from shared.agents.agent import AGENT_ID, Agent
from shared.agents.store import AgentChanged, AgentLimitReached, AgentPage
from shared.clock import Clock
from shared.storage import keys
from shared.storage.attributes import from_item, to_attribute, to_item
from shared.storage.items import read_item, remove_partition
from shared.storage.owner_index import GONE, OwnerIndex
from shared.storage.transactions import ConditionsRefused, write_transaction

KEY_ATTRIBUTES = ("PK", "SK", "ownerSort")
"""Attributes of an item that are not fields of an agent."""


class DynamoAgentStore:
    """The AgentStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._index = OwnerIndex(table, "agt_", AGENT_ID, keys.agent, _visible)
        self._clock = clock

    def put_new(self, agent: Agent, *, limit: int) -> None:
        latest = {**_latest(agent), "ownerSort": agent.id}
        count = {
            "TableName": self._table,
            "Key": to_item(keys.agent_count(agent.owner)),
            "UpdateExpression": "ADD #count :one",
            "ConditionExpression": "attribute_not_exists(#count) OR #count < :limit",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":one": to_attribute(1), ":limit": to_attribute(limit)},
        }
        try:
            write_transaction([self._put(latest, "attribute_not_exists(PK)"), {"Update": count}])
        except ConditionsRefused as refused:
            if 0 not in refused.existing:
                raise AgentLimitReached from None
            self._check_own_write(refused, agent)

    def get(self, agent_id: str) -> Agent | None:
        return self._read(keys.agent(agent_id))

    def version(self, agent_id: str, version: int) -> Agent | None:
        # In this order, because the transaction that replaces the latest version stores that version as a replaced one.
        latest = self.get(agent_id)
        if latest is not None and latest.version == version:
            return latest
        return self._read(keys.agent_version(agent_id, version))

    def replace(self, before: Agent, after: Agent, *, expires_at: int) -> None:
        latest = {**_latest(after), "ownerSort": after.id}
        ended = before.model_copy(update={"expires_at": expires_at})
        replaced = {**keys.agent_version(before.id, before.version), **_attributes(ended)}
        condition = "#version = :before AND attribute_not_exists(expiresAt)"
        put = self._put(
            latest,
            condition,
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":before": to_attribute(before.version)},
        )
        try:
            write_transaction([put, {"Put": {"TableName": self._table, "Item": to_item(replaced)}}])
        except ConditionsRefused as refused:
            self._check_own_write(refused, after)

    def remove(self, agent: Agent, *, expires_at: int) -> None:
        deletion = {
            "TableName": self._table,
            "Key": to_item(keys.agent(agent.id)),
            "UpdateExpression": "SET expiresAt = :expiresAt, ownerSort = :gone",
            "ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(expiresAt)",
            "ExpressionAttributeValues": to_item({":expiresAt": expires_at, ":gone": f"{GONE}{agent.id}"}),
        }
        count = {
            "TableName": self._table,
            "Key": to_item(keys.agent_count(agent.owner)),
            "UpdateExpression": "ADD #count :less",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":less": to_attribute(-1)},
        }
        with contextlib.suppress(ConditionsRefused):  # an earlier call has deleted the agent
            write_transaction([{"Update": deletion}, {"Update": count}])

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        return self._index.every_id(owner, gone=gone)

    def erase(self, agent_id: str) -> None:
        # The latest version last, because it names the owner.
        remove_partition(self._table, keys.agent(agent_id)["PK"], last=keys.agent(agent_id)["SK"])

    def list_owned(self, owner: str, *, limit: int, cursor: str | None) -> AgentPage:
        return AgentPage(*self._index.page(owner, matches=lambda _: True, limit=limit, cursor=cursor))

    def _read(self, key: Mapping[str, str]) -> Agent | None:
        """Return the agent; None if it has expired, because DynamoDB deletes expired items only some time later."""
        item = read_item(self._table, key)
        agent = _agent(item) if item is not None else None
        if agent is None or (agent.expires_at is not None and agent.expires_at <= self._clock().timestamp()):
            return None
        return agent

    def _put(self, values: Mapping[str, Any], condition: str, **expressions: Any) -> Mapping[str, Any]:
        return {
            "Put": {
                "TableName": self._table,
                "Item": to_item(values),
                "ConditionExpression": condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **expressions,
            }
        }

    def _check_own_write(self, refused: ConditionsRefused, agent: Agent) -> None:
        """Do nothing if the stored agent is the one that we write: botocore retries a write whose response was lost.

        Raises AgentChanged if another agent or version is stored.
        """
        stored = refused.existing.get(0)
        if not stored or _agent(stored) != agent:
            raise AgentChanged from None


def _latest(agent: Agent) -> dict[str, Any]:
    return {**keys.agent(agent.id), **_attributes(agent)}


def _attributes(agent: Agent) -> dict[str, Any]:
    return agent.model_dump(mode="json", exclude_none=True)


def _agent(item: Mapping[str, Any]) -> Agent:
    values = {name: value for name, value in from_item(item).items() if name not in KEY_ATTRIBUTES}
    return Agent.model_validate(values)


def _visible(item: Mapping[str, Any]) -> Agent | None:
    agent = _agent(item)
    return None if agent.deleted else agent
