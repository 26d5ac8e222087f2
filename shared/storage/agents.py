"""Agents in DynamoDB: one item for the latest version, which moves, and one for each version, which never does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from shared.agents.agent import AGENT_ID, Agent
from shared.agents.store import AgentMoved, AgentPage, AgentsFull
from shared.clock import Clock
from shared.storage import keys
from shared.storage.attributes import Item, from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.cursors import decode_cursor, encode_cursor
from shared.storage.transactions import ConditionsRefused, write_together

BY_OWNER = "ByOwner"
OWN_ATTRIBUTES = ("PK", "SK", "ownerSort")
EXPIRED_TOGETHER = 50
"""Versions in one transaction: of the largest, these are 1.6 MB of the 4 MB that fit."""


class DynamoAgentStore:
    """The AgentStore on a DynamoDB table."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
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
                raise AgentsFull from None
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
        start: dict[str, Any] | None = None
        if cursor is not None:
            last_id = decode_cursor(cursor, AGENT_ID)
            start = to_item({"owner": owner, "ownerSort": last_id, **keys.agent(last_id)})
        agents: list[Agent] = []
        while True:
            more: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
            with storage_faults():
                page = dynamodb().query(
                    TableName=self._table,
                    IndexName=BY_OWNER,
                    KeyConditionExpression="#owner = :owner AND begins_with(ownerSort, :agents)",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": to_attribute(owner), ":agents": to_attribute("agt_")},
                    ScanIndexForward=False,
                    Limit=limit - len(agents) + 1,
                    **more,
                )
            agents += self._in_use([item["ownerSort"]["S"] for item in page["Items"]])
            start = page.get("LastEvaluatedKey")
            if len(agents) > limit:
                return AgentPage(agents[:limit], encode_cursor(agents[limit - 1].id))
            if start is None:
                return AgentPage(agents, None)

    def _in_use(self, agent_ids: list[str]) -> list[Agent]:
        """Those of these agents that are not deleted, in this order. Consistent: the index lags, deletion must not."""
        found: dict[str, Agent] = {}
        for begin in range(0, len(agent_ids), 100):
            wanted_keys = [to_item(keys.agent(each)) for each in agent_ids[begin : begin + 100]]
            wanted: Any = {self._table: {"Keys": wanted_keys, "ConsistentRead": True}}
            while wanted:
                with storage_faults():
                    answer = dynamodb().batch_get_item(RequestItems=wanted)
                for item in answer["Responses"].get(self._table, []):
                    agent = _agent(item)
                    found[agent.id] = agent
                wanted = answer.get("UnprocessedKeys")
        return [found[each] for each in agent_ids if each in found and not found[each].deleted]

    def _read(self, key: Mapping[str, str]) -> Agent | None:
        """DynamoDB deletes expired items some time later; nobody sees them from the moment they expire."""
        with storage_faults():
            found = dynamodb().get_item(TableName=self._table, Key=to_item(key), ConsistentRead=True)
        agent = _agent(found["Item"]) if "Item" in found else None
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
        """A write whose answer was lost is repeated, and finds itself. Raises AgentMoved when it finds another."""
        standing = refused.existing.get(0)
        if not standing or _agent(standing) != agent:
            raise AgentMoved from None

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
        partition = keys.agent(agent_id)["PK"]
        start: dict[str, Any] = {}
        while True:
            with storage_faults():
                page = dynamodb().query(
                    TableName=self._table,
                    KeyConditionExpression="PK = :partition AND begins_with(SK, :versions)",
                    FilterExpression="attribute_not_exists(expiresAt)",
                    ProjectionExpression="PK, SK",
                    ExpressionAttributeValues={
                        ":partition": to_attribute(partition),
                        ":versions": to_attribute(keys.VERSION_PREFIX),
                    },
                    ConsistentRead=True,
                    **start,
                )
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _head(agent: Agent) -> dict[str, Any]:
    return {**keys.agent(agent.id), **_attributes(agent)}


def _attributes(agent: Agent) -> dict[str, Any]:
    return agent.model_dump(mode="json", exclude_none=True)


def _agent(item: Mapping[str, Any]) -> Agent:
    values = {name: value for name, value in from_item(item).items() if name not in OWN_ATTRIBUTES}
    return Agent.model_validate(values)
