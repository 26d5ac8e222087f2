"""Agents and their versions, in memory and on DynamoDB; their limit under concurrency."""

from __future__ import annotations

import base64
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from shared.agents.agent import Agent, new_agent_id
from shared.agents.service import AgentService
from shared.agents.store import AgentChanged, AgentLimitReached
from shared.storage import agents as adapter
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


@pytest.fixture
def agent(ports: Ports, owner: str) -> Agent:
    """Stored in its first version."""
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
    def test_an_agent_comes_back_as_it_was_stored(self, ports: Ports, owner: str, settings: dict[str, Any]) -> None:
        agent = an_agent(owner, **settings)
        ports.agents.put_new(agent, limit=100)
        assert ports.agents.get(agent.id) == agent
        assert ports.agents.version(agent.id, 1) == agent

    def test_what_nobody_stored_is_not_there(self, ports: Ports, agent: Agent) -> None:
        assert ports.agents.get(new_agent_id(0)) is None
        assert ports.agents.version(agent.id, 2) is None

    def test_the_next_version_is_the_latest_and_the_one_before_stays_as_it_was(
        self, ports: Ports, agent: Agent
    ) -> None:
        changed = successor(agent, instructions="Two sentences.", temperature=1.5)
        ports.agents.replace(changed)
        assert ports.agents.get(agent.id) == changed
        assert ports.agents.version(agent.id, 1) == agent
        assert ports.agents.version(agent.id, 2) == changed

    @pytest.mark.parametrize("version", [1, 2, 4])
    def test_only_the_latest_version_has_a_successor(self, ports: Ports, agent: Agent, version: int) -> None:
        latest = successor(agent)
        ports.agents.replace(latest)
        with pytest.raises(AgentChanged):
            ports.agents.replace(an_agent(agent.owner, id=agent.id, version=version, name="Lost"))
        assert ports.agents.get(agent.id) == latest
        assert ports.agents.version(agent.id, 2) == latest
        assert ports.agents.version(agent.id, 4) is None

    def test_an_agent_nobody_stored_has_no_successor(self, ports: Ports, owner: str) -> None:
        with pytest.raises(AgentChanged):
            ports.agents.replace(an_agent(owner, version=2))

    def test_of_twenty_successors_at_once_exactly_one_is_stored(self, ports: Ports, agent: Agent) -> None:
        def replace(number: int) -> bool:
            try:
                ports.agents.replace(successor(agent, name=f"by {number}"))
            except AgentChanged:
                return False
            return True

        won = at_once(replace)
        assert won.count(True) == 1
        stored = ports.agents.get(agent.id)
        assert stored is not None
        assert stored.name == f"by {won.index(True)}"
        assert ports.agents.version(agent.id, 2) == stored

    def test_twenty_changes_at_once_are_twenty_versions(self, ports: Ports, agent: Agent) -> None:
        service = AgentService(agents=ports.agents, allowed_models=(), clock=ports.clock)
        at_once(lambda number: service.update(agent.owner, agent.id, {"name": f"by {number}"}))
        versions = [ports.agents.version(agent.id, number + 2) for number in range(CALLERS)]
        assert {each.name for each in versions if each} == {f"by {number}" for number in range(CALLERS)}
        assert ports.agents.get(agent.id) == versions[-1]


class TestRepetition:
    """Botocore repeats what it has got no answer to."""

    def test_storing_an_agent_again_stores_and_counts_it_once(self, ports: Ports, owner: str) -> None:
        agent = an_agent(owner)
        for _ in range(3):
            ports.agents.put_new(agent, limit=2)
        ports.agents.put_new(an_agent(owner), limit=2)
        with pytest.raises(AgentLimitReached):
            ports.agents.put_new(an_agent(owner), limit=2)

    def test_storing_a_version_again_is_nothing(self, ports: Ports, agent: Agent) -> None:
        changed = successor(agent, name="Chatty", temperature=0.25)
        for _ in range(2):
            ports.agents.replace(changed)
        assert ports.agents.get(agent.id) == changed

    def test_removing_an_agent_again_gives_back_one_place(self, ports: Ports, owner: str, agent: Agent) -> None:
        ports.agents.put_new(an_agent(owner), limit=2)
        for _ in range(2):
            ports.agents.remove(agent, expires_at=WEEK_LATER)
        ports.agents.put_new(an_agent(owner), limit=2)
        with pytest.raises(AgentLimitReached):
            ports.agents.put_new(an_agent(owner), limit=2)


class TestRemoval:
    def test_a_removed_agent_says_so_and_has_no_successor(self, ports: Ports, agent: Agent) -> None:
        ports.agents.remove(agent, expires_at=WEEK_LATER)
        stored = ports.agents.get(agent.id)
        assert stored is not None
        assert (stored.deleted, stored.expires_at) == (True, WEEK_LATER)
        with pytest.raises(AgentChanged):
            ports.agents.replace(successor(agent))

    def test_its_versions_are_there_until_they_expire(self, ports: Ports, agent: Agent) -> None:
        ports.agents.replace(successor(agent))
        ports.agents.remove(agent, expires_at=WEEK_LATER)
        ports.clock.advance(7 * 24 * 3600 - 1)
        for version in (1, 2):
            found = ports.agents.version(agent.id, version)
            assert found is not None
            assert found.instructions == agent.instructions
        ports.clock.advance(1)
        assert [ports.agents.version(agent.id, version) for version in (1, 2)] == [None, None]
        assert ports.agents.get(agent.id) is None

    def test_a_change_at_the_same_moment_leaves_nothing_that_stays_for_ever(self, ports: Ports, agent: Agent) -> None:
        def act(number: int) -> None:
            if number % 2:
                ports.agents.remove(agent, expires_at=WEEK_LATER)
                return
            with contextlib.suppress(AgentChanged):
                ports.agents.replace(successor(agent, name=f"by {number}"))

        at_once(act)
        ports.clock.advance(7 * 24 * 3600)
        assert [ports.agents.version(agent.id, version) for version in (1, 2)] == [None, None]

    def test_a_removal_that_was_broken_off_is_finished_by_the_next(
        self, server: AwsServer, owner: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ports = adapters(server)
        agent = an_agent(owner)
        ports.agents.put_new(agent, limit=100)
        with monkeypatch.context() as broken:
            broken.setattr(adapter.DynamoAgentStore, "_expire_versions", _dies)
            with pytest.raises(ConnectionError):
                ports.agents.remove(agent, expires_at=WEEK_LATER)
        left = ports.agents.version(agent.id, 1)
        assert left is not None
        assert left.expires_at is None
        ports.agents.remove(agent, expires_at=WEEK_LATER)
        ended = ports.agents.version(agent.id, 1)
        assert ended is not None
        assert ended.expires_at == WEEK_LATER

    def test_the_index_no_longer_leads_to_it(self, server: AwsServer, owner: str) -> None:
        ports = adapters(server)
        agent = an_agent(owner)
        ports.agents.put_new(agent, limit=100)
        ports.agents.remove(agent, expires_at=WEEK_LATER)
        found = server.dynamodb.query(
            TableName=server.durable_table,
            IndexName="ByOwner",
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
        assert found["Items"] == []

    def test_more_versions_than_one_transaction_takes_expire_all(
        self, server: AwsServer, owner: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapter, "EXPIRY_BATCH", 3)
        ports = adapters(server)
        latest = an_agent(owner)
        ports.agents.put_new(latest, limit=100)
        for _ in range(7):
            latest = successor(latest)
            ports.agents.replace(latest)
        ports.agents.remove(latest, expires_at=WEEK_LATER)
        found = [ports.agents.version(latest.id, version) for version in range(1, 9)]
        assert [each.expires_at for each in found if each] == [WEEK_LATER] * 8


def _dies(*_: Any) -> None:
    raise ConnectionError


class TestLimit:
    def test_of_twenty_agents_at_once_no_more_than_the_limit_are_stored(self, ports: Ports, owner: str) -> None:
        def put(number: int) -> bool:
            try:
                ports.agents.put_new(an_agent(owner), limit=7)
            except AgentLimitReached:
                return False
            return True

        assert at_once(put).count(True) == 7
        assert len(ports.agents.list_owned(owner, limit=100, cursor=None).agents) == 7

    def test_the_limit_is_each_owners_own(self, ports: Ports, owner: str) -> None:
        for each in (owner, f"not {owner}"):
            ports.agents.put_new(an_agent(each), limit=1)


class TestListing:
    @pytest.fixture
    def agents(self, ports: Ports, owner: str) -> list[Agent]:
        """Five of one owner, newest first, and one of another's."""
        made = [an_agent(owner, id=new_agent_id(second * 1000), name=f"at {second}") for second in range(5)]
        for each in [*made, an_agent(f"not {owner}")]:
            ports.agents.put_new(each, limit=100)
        return made[::-1]

    def test_own_agents_come_newest_first_in_their_latest_versions(
        self, ports: Ports, owner: str, agents: list[Agent]
    ) -> None:
        agents[2] = successor(agents[2], name="Changed")
        ports.agents.replace(agents[2])
        page = ports.agents.list_owned(owner, limit=100, cursor=None)
        assert (page.agents, page.cursor) == (agents, None)

    @pytest.mark.parametrize("limit", [1, 2, 3, 5])
    def test_pages_add_up_to_the_list(self, ports: Ports, owner: str, agents: list[Agent], limit: int) -> None:
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
        for removed in (agents[1], agents[2]):  # the one the cursor is at, too
            ports.agents.remove(removed, expires_at=WEEK_LATER)
        rest = ports.agents.list_owned(owner, limit=2, cursor=page.cursor)
        assert rest.agents == agents[3:]
        assert ports.agents.list_owned(owner, limit=100, cursor=None).agents == [agents[0], *agents[3:]]

    @pytest.mark.parametrize("cursor", ["x", "%%%", base64.urlsafe_b64encode(b"job_0").decode(), "é"])
    def test_a_cursor_of_another_kind_is_no_cursor(self, ports: Ports, owner: str, cursor: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - whichever kind of it
            ports.agents.list_owned(owner, limit=2, cursor=cursor)
