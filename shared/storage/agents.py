"""Agents in DynamoDB: one item for the latest version, which moves, and one for each version, which never does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from shared.agents.agent import AGENT_ID, Agent
from shared.agents.store import AgentChanged, AgentLimitReached, AgentPage
from shared.clock import Clock
from shared.storage import keys
from shared.storage.attributes import Item, from_item, to_attribute, to_item
from shared.storage.items import query_items, read_item
from shared.storage.owner_index import Owned
from shared.storage.transactions import ConditionsRefused, write_together

OWN_ATTRIBUTES = ("PK", "SK", "ownerSort")
EXPIRED_TOGETHER = 50
"""Versions in one transaction: of the largest, these are 1.6 MB of the 4 MB that fit."""


class DynamoAgentStore:
    """The AgentStore on a DynamoDB table."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._owned = Owned(table, "agt_", AGENT_ID, keys.agent, _in_use)
        self._clock = clock

    def put_new(self, agent: Agent, *, limit: int) -> None:
        head = {**_head(agent), "ownerSort": agent.id}
        counted = {
            "TableName": self._table,
            "Key": to_item(keys.agent_count(agent.owner)),
            "UpdateExpression": "ADD #count :one",
            "ConditionExpression": "attribute_not_exists(#count) OR #count < :limit",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":one": to_attribute(1), ":limit": to_attribute(limit)},
        }
        try:
            write_together([self._put(head, "attribute_not_exists(PK)"), {"Update": counted}, self._put_version(agent)])
        except ConditionsRefused as refused:
            if 0 not in refused.existing:
                raise AgentLimitReached from None
            self._expect_repetition(refused, agent)

    def get(self, agent_id: str) -> Agent | None:
        return self._read(keys.agent(agent_id))

    def version(self, agent_id: str, version: int) -> Agent | None:
        return self._read(keys.agent_version(agent_id, version))

    def replace(self, agent: Agent) -> None:
        head = {**_head(agent), "ownerSort": agent.id}
        condition = "#version = :before AND attribute_not_exists(expiresAt)"
        put = self._put(
            head,
            condition,
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":before": to_attribute(agent.version - 1)},
        )
        try:
            write_together([put, self._put_version(agent)])
        except ConditionsRefused as refused:
            self._expect_repetition(refused, agent)

    def remove(self, agent: Agent, *, expires_at: int) -> None:
        deleted = {
            "TableName": self._table,
            "Key": to_item(keys.agent(agent.id)),
            "UpdateExpression": "SET expiresAt = :expiresAt REMOVE ownerSort",
            "ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(expiresAt)",
            "ExpressionAttributeValues": {":expiresAt": to_attribute(expires_at)},
        }
        counted = {
            "TableName": self._table,
            "Key": to_item(keys.agent_count(agent.owner)),
            "UpdateExpression": "ADD #count :less",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":less": to_attribute(-1)},
        }
        # Refused: it is deleted already, maybe by a call that got no further than that.
        with contextlib.suppress(ConditionsRefused):
            write_together([{"Update": deleted}, {"Update": counted}])
        # From here on no version can be added.
        self._expire_versions(agent.id, expires_at)

    def list_owned(self, owner: str, *, limit: int, cursor: str | None) -> AgentPage:
        return AgentPage(*self._owned.page(owner, matches=lambda _: True, limit=limit, cursor=cursor))

    def _read(self, key: Mapping[str, str]) -> Agent | None:
        """DynamoDB deletes expired items some time later; nobody sees them from the moment they expire."""
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

    def _put_version(self, agent: Agent) -> Mapping[str, Any]:
        item = {**keys.agent_version(agent.id, agent.version), **_attributes(agent)}
        return {"Put": {"TableName": self._table, "Item": to_item(item)}}

    def _expect_repetition(self, refused: ConditionsRefused, agent: Agent) -> None:
        """A write whose answer was lost is repeated, and finds itself. Raises AgentChanged when it finds another."""
        standing = refused.existing.get(0)
        if not standing or _agent(standing) != agent:
            raise AgentChanged from None

    def _expire_versions(self, agent_id: str, expires_at: int) -> None:
        batch: list[Mapping[str, Any]] = []
        for key in self._lasting_versions(agent_id):
            expiry = {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": "SET expiresAt = :expiresAt",
                "ExpressionAttributeValues": {":expiresAt": to_attribute(expires_at)},
            }
            batch.append({"Update": expiry})
            if len(batch) == EXPIRED_TOGETHER:
                write_together(batch)
                batch = []
        if batch:
            write_together(batch)

    def _lasting_versions(self, agent_id: str) -> Iterator[Item]:
        """The keys of its versions that have no end yet."""
        return query_items(
            self._table,
            "PK = :partition AND begins_with(SK, :versions)",
            {":partition": keys.agent(agent_id)["PK"], ":versions": keys.VERSION_PREFIX},
            FilterExpression="attribute_not_exists(expiresAt)",
            ProjectionExpression="PK, SK",
            ConsistentRead=True,
        )


def _head(agent: Agent) -> dict[str, Any]:
    return {**keys.agent(agent.id), **_attributes(agent)}


def _attributes(agent: Agent) -> dict[str, Any]:
    return agent.model_dump(mode="json", exclude_none=True)


def _agent(item: Mapping[str, Any]) -> Agent:
    values = {name: value for name, value in from_item(item).items() if name not in OWN_ATTRIBUTES}
    return Agent.model_validate(values)


def _in_use(item: Mapping[str, Any]) -> Agent | None:
    agent = _agent(item)
    return None if agent.deleted else agent
