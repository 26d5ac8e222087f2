"""The AgentStore, in memory and on DynamoDB, keeps every version and the limit of agents per owner."""

from __future__ import annotations

import base64
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from shared.agents.agent import Agent, new_agent_id
from shared.agents.service import AgentService
from shared.agents.store import AgentChanged, AgentLimitReached
from tests.fakes.clock import NOON
from tests.storage.at_once import CALLERS, at_once
from tests.storage.ports import AwsServer, Ports, adapters

WEEK_LATER = int(NOON.timestamp()) + 7 * 24 * 3600


def an_agent(owner: str, **fields: Any) -> Agent:
    values: dict[str, Any] = {
        "id": new_agent_id(int(NOON.timestamp() * 1000)),
        "owner": owner,
        "version": 1,
        "name": "Terse",
        "instructions": "One sentence per text.",
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Agent(**{**values, **fields})


def successor(agent: Agent, **changes: Any) -> Agent:
    moved = {"version": agent.version + 1, "updated_at": agent.updated_at + timedelta(seconds=1)}
    return agent.model_copy(update={**moved, **changes})


def replace(ports: Ports, before: Agent, **changes: Any) -> Agent:
    """Store a successor of `before`, which expires in a week; return the successor."""
    after = successor(before, **changes)
    ports.agents.replace(before, after, expires_at=WEEK_LATER)
    return after


@pytest.fixture
def agent(ports: Ports, owner: str) -> Agent:
    """An agent that is stored in its first version."""
    made = an_agent(owner)
    ports.agents.put_new(made, limit=100)
    return made


class TestVersions:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"model": "scripted-1", "temperature": 0.7, "max_output_tokens": 500},
            {"temperature": 0.0, "instructions": "line\n\x00\U0001f600 " + "x" * 7990},
            {"temperature": 2.0, "max_output_tokens": 100_000},
        ],
    )
    def test_the_store_returns_an_agent_unchanged(self, ports: Ports, owner: str, settings: dict[str, Any]) -> None:
        agent = an_agent(owner, **settings)
        ports.agents.put_new(agent, limit=100)
        assert ports.agents.get(agent.id) == agent
        assert ports.agents.version(agent.id, 1) == agent

    def test_the_store_returns_none_for_an_unknown_agent_or_version(self, ports: Ports, agent: Agent) -> None:
        assert ports.agents.get(new_agent_id(0)) is None
        assert ports.agents.version(agent.id, 2) is None

    def test_a_new_version_becomes_the_latest_and_the_older_one_is_kept(self, ports: Ports, agent: Agent) -> None:
        changed = replace(ports, agent, instructions="Two sentences.", temperature=1.5)
        assert ports.agents.get(agent.id) == changed
        assert ports.agents.version(agent.id, 1) == agent.model_copy(update={"expires_at": WEEK_LATER})
        assert ports.agents.version(agent.id, 2) == changed

    def test_a_replaced_version_expires_and_the_latest_does_not(self, ports: Ports, agent: Agent) -> None:
        changed = replace(ports, agent)
        ports.clock.advance(7 * 24 * 3600 - 1)
        assert ports.agents.version(agent.id, 1) is not None
        ports.clock.advance(1)
        assert ports.agents.version(agent.id, 1) is None
        assert ports.agents.version(agent.id, 2) == changed

    def test_dynamodb_deletes_every_replaced_version(self, server: AwsServer, owner: str) -> None:
        ports = adapters(server)
        latest = an_agent(owner)
        ports.agents.put_new(latest, limit=100)
        for _ in range(3):
            latest = replace(ports, latest)
        items = server.dynamodb.query(
            TableName=server.durable_table,
            KeyConditionExpression="PK = :partition",
            ExpressionAttributeValues={":partition": {"S": f"AGENT#{latest.id}"}},
        )["Items"]
        assert {item["SK"]["S"]: item.get("expiresAt", {}).get("N") for item in items} == {
            "AGENT": None,
            **{f"V#{version:010d}": str(WEEK_LATER) for version in (1, 2, 3)},
        }

    @pytest.mark.parametrize("version", [2, 4])
    def test_only_the_latest_version_has_a_successor(self, ports: Ports, agent: Agent, version: int) -> None:
        latest = replace(ports, agent)
        before = an_agent(agent.owner, id=agent.id, version=max(version - 1, 1), name="Lost")
        with pytest.raises(AgentChanged):
            replace(ports, before)
        assert ports.agents.get(agent.id) == latest
        assert ports.agents.version(agent.id, 2) == latest
        assert ports.agents.version(agent.id, 4) is None

    def test_an_unknown_agent_cannot_get_a_new_version(self, ports: Ports, owner: str) -> None:
        with pytest.raises(AgentChanged):
            replace(ports, an_agent(owner))

    def test_one_of_twenty_concurrent_successors_is_stored(self, ports: Ports, agent: Agent) -> None:
        def change(number: int) -> bool:
            try:
                replace(ports, agent, name=f"by {number}")
            except AgentChanged:
                return False
            return True

        won = at_once(change)
        assert won.count(True) == 1
        stored = ports.agents.get(agent.id)
        assert stored is not None
        assert stored.name == f"by {won.index(True)}"
        assert ports.agents.version(agent.id, 2) == stored

    def test_twenty_concurrent_changes_become_twenty_versions(self, ports: Ports, agent: Agent) -> None:
        service = AgentService(agents=ports.agents, allowed_models=(), clock=ports.clock)
        at_once(lambda number: service.update(agent.owner, agent.id, {"name": f"by {number}"}))
        versions = [ports.agents.version(agent.id, number + 2) for number in range(CALLERS)]
        assert {each.name for each in versions if each} == {f"by {number}" for number in range(CALLERS)}
        assert ports.agents.get(agent.id) == versions[-1]


class TestRepetition:
    """botocore repeats a request to which it got no response."""

    def test_a_repeated_creation_stores_and_counts_the_agent_once(self, ports: Ports, owner: str) -> None:
        agent = an_agent(owner)
        for _ in range(3):
            ports.agents.put_new(agent, limit=2)
        ports.agents.put_new(an_agent(owner), limit=2)
        with pytest.raises(AgentLimitReached):
            ports.agents.put_new(an_agent(owner), limit=2)

    def test_a_repeated_replacement_changes_nothing(self, ports: Ports, agent: Agent) -> None:
        changed = successor(agent, name="Chatty", temperature=0.25)
        for _ in range(2):
            ports.agents.replace(agent, changed, expires_at=WEEK_LATER)
        assert ports.agents.get(agent.id) == changed

    def test_a_repeated_removal_lowers_the_count_once(self, ports: Ports, owner: str, agent: Agent) -> None:
        ports.agents.put_new(an_agent(owner), limit=2)
        for _ in range(2):
            ports.agents.remove(agent, expires_at=WEEK_LATER)
        ports.agents.put_new(an_agent(owner), limit=2)
        with pytest.raises(AgentLimitReached):
            ports.agents.put_new(an_agent(owner), limit=2)


class TestRemoval:
    def test_a_removed_agent_is_marked_and_cannot_get_a_new_version(self, ports: Ports, agent: Agent) -> None:
        ports.agents.remove(agent, expires_at=WEEK_LATER)
        stored = ports.agents.get(agent.id)
        assert stored is not None
        assert (stored.deleted, stored.expires_at) == (True, WEEK_LATER)
        with pytest.raises(AgentChanged):
            replace(ports, agent)

    def test_the_versions_of_a_removed_agent_are_kept_until_they_expire(self, ports: Ports, agent: Agent) -> None:
        replace(ports, agent)
        ports.agents.remove(agent, expires_at=WEEK_LATER)
        ports.clock.advance(7 * 24 * 3600 - 1)
        for version in (1, 2):
            found = ports.agents.version(agent.id, version)
            assert found is not None
            assert found.instructions == agent.instructions
        ports.clock.advance(1)
        assert [ports.agents.version(agent.id, version) for version in (1, 2)] == [None, None]
        assert ports.agents.get(agent.id) is None

    def test_every_version_expires_after_a_concurrent_change_and_removal(self, ports: Ports, agent: Agent) -> None:
        def act(number: int) -> None:
            if number % 2:
                ports.agents.remove(agent, expires_at=WEEK_LATER)
                return
            with contextlib.suppress(AgentChanged):
                replace(ports, agent, name=f"by {number}")

        at_once(act)
        ports.clock.advance(7 * 24 * 3600)
        assert [ports.agents.version(agent.id, version) for version in (1, 2)] == [None, None]

    def test_a_removed_agent_is_found_until_it_is_erased(self, ports: Ports, owner: str) -> None:
        agent = an_agent(owner)
        ports.agents.put_new(agent, limit=100)
        changed = agent.model_copy(update={"version": 2})
        ports.agents.replace(agent, changed, expires_at=WEEK_LATER)
        ports.agents.remove(changed, expires_at=WEEK_LATER)
        assert (list(ports.agents.ids_of(owner)), list(ports.agents.ids_of(owner, gone=True))) == ([], [agent.id])
        ports.agents.erase(agent.id)
        assert list(ports.agents.ids_of(owner, gone=True)) == []
        assert [ports.agents.version(agent.id, version) for version in (1, 2)] == [None, None]

    def test_a_removal_is_one_write_however_many_versions_there_are(self, server: AwsServer, owner: str) -> None:
        ports = adapters(server)
        latest = an_agent(owner)
        ports.agents.put_new(latest, limit=100)
        for _ in range(7):
            latest = replace(ports, latest)
        calls: list[str] = []

        def note(model: Any, **_: Any) -> None:
            calls.append(model.name)

        with server.requests_of_botocore() as dynamodb:
            dynamodb.meta.events.register("before-call.dynamodb", note)
            try:
                ports.agents.remove(latest, expires_at=WEEK_LATER)
            finally:
                dynamodb.meta.events.unregister("before-call.dynamodb", note)
        assert calls == ["TransactWriteItems"]


class TestLimit:
    def test_twenty_concurrent_creations_do_not_exceed_the_limit(self, ports: Ports, owner: str) -> None:
        def put(number: int) -> bool:
            try:
                ports.agents.put_new(an_agent(owner), limit=7)
            except AgentLimitReached:
                return False
            return True

        assert at_once(put).count(True) == 7
        assert len(ports.agents.list_owned(owner, limit=100, cursor=None).agents) == 7

    def test_each_owner_has_a_separate_limit(self, ports: Ports, owner: str) -> None:
        for each in (owner, f"not {owner}"):
            ports.agents.put_new(an_agent(each), limit=1)


class TestListing:
    @pytest.fixture
    def agents(self, ports: Ports, owner: str) -> list[Agent]:
        """Store five agents of one owner and one of another; return the five, newest first."""
        made = [an_agent(owner, id=new_agent_id(second * 1000), name=f"at {second}") for second in range(5)]
        for each in [*made, an_agent(f"not {owner}")]:
            ports.agents.put_new(each, limit=100)
        return made[::-1]

    def test_the_list_contains_the_owners_latest_versions_newest_first(
        self, ports: Ports, owner: str, agents: list[Agent]
    ) -> None:
        agents[2] = replace(ports, agents[2], name="Changed")
        page = ports.agents.list_owned(owner, limit=100, cursor=None)
        assert (page.agents, page.cursor) == (agents, None)

    @pytest.mark.parametrize("limit", [1, 2, 3, 5])
    def test_the_pages_together_are_the_list(self, ports: Ports, owner: str, agents: list[Agent], limit: int) -> None:
        listed: list[Agent] = []
        cursor: str | None = None
        while True:
            page = ports.agents.list_owned(owner, limit=limit, cursor=cursor)
            assert 0 < len(page.agents) <= limit
            listed += page.agents
            cursor = page.cursor
            if cursor is None:
                break
        assert listed == agents

    def test_a_list_leaves_out_a_removed_agent_and_its_page_continues(
        self, ports: Ports, owner: str, agents: list[Agent]
    ) -> None:
        page = ports.agents.list_owned(owner, limit=2, cursor=None)
        for removed in (agents[1], agents[2]):  # the agent at the cursor, too
            ports.agents.remove(removed, expires_at=WEEK_LATER)
        rest = ports.agents.list_owned(owner, limit=2, cursor=page.cursor)
        assert rest.agents == agents[3:]
        assert ports.agents.list_owned(owner, limit=100, cursor=None).agents == [agents[0], *agents[3:]]

    @pytest.mark.parametrize("cursor", ["x", "%%%", base64.urlsafe_b64encode(b"job_0").decode(), "é"])
    def test_an_invalid_cursor_is_refused(self, ports: Ports, owner: str, cursor: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - the port promises no special type
            ports.agents.list_owned(owner, limit=2, cursor=cursor)
