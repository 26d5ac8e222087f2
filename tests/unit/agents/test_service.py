"""What owners do with agents: create, read, list, update and delete them; and how jobs find them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.agents.agent import Agent, AgentSettings
from shared.agents.service import AGENTS_PER_OWNER, KEPT_SECONDS, AgentService
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound
from tests.fakes.agents import FakeAgentStore
from tests.fakes.clock import SettableClock

MODELS = ("scripted-1", "scripted-2")
UNKNOWN = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"


def settings(**fields: Any) -> AgentSettings:
    return AgentSettings(**{"name": "Terse", "instructions": "One sentence per text.", **fields})


class Agents:
    """The agent service on fakes."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.store = FakeAgentStore(clock=self.clock)
        self.service = AgentService(agents=self.store, allowed_models=MODELS, clock=self.clock)

    def new(self, owner: str = "ada", **fields: Any) -> Agent:
        return self.service.create(owner, settings(**fields))


class ConcurrentUpdates:
    """The agents' store, in which another client updates the agent right before the next `times` replacements."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self.times = 0
        self.put_new = agents.store.put_new
        self.get = agents.store.get
        self.version = agents.store.version
        self.remove = agents.store.remove
        self.list_owned = agents.store.list_owned
        self.ids_of = agents.store.ids_of
        self.erase = agents.store.erase

    def replace(self, before: Agent, after: Agent, *, expires_at: int) -> None:
        if self.times:
            self.times -= 1
            self._agents.service.update(after.owner, after.id, {"temperature": 1.5})
        self._agents.store.replace(before, after, expires_at=expires_at)


class TestSettings:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "   "),
            ("name", "x" * 101),
            ("instructions", " \n "),
            ("instructions", "x" * 8001),
            ("model", ""),
            ("temperature", -0.1),
            ("temperature", 2.1),
            ("temperature", float("nan")),
            ("temperature", "0.5"),
            ("temperature", True),
            ("max_output_tokens", 0),
            ("max_output_tokens", 100_001),
            ("max_output_tokens", "5"),
            ("max_output_tokens", True),
            ("max_output_tokens", 0.5),
        ],
    )
    def test_a_value_outside_its_bounds_is_refused(self, field: str, value: Any) -> None:
        with pytest.raises(ValidationError) as refusal:
            settings(**{field: value})
        assert len(refusal.value.errors()) == 1

    def test_texts_are_stripped_and_bounds_are_inclusive(self) -> None:
        made = settings(
            name=f" {'x' * 100} ", instructions=f"\n{'y' * 8000}\n", temperature=2, max_output_tokens=100_000
        )
        assert (made.name, made.instructions) == ("x" * 100, "y" * 8000)
        assert (made.temperature, made.max_output_tokens) == (2.0, 100_000)


class TestCreation:
    def test_an_agent_begins_with_version_1(self) -> None:
        agents = Agents()
        agent = agents.new(model="scripted-2", temperature=0.5, max_output_tokens=9)
        assert (agent.version, agent.owner, agent.created_at, agent.updated_at) == (1, "ada", *[agents.clock()] * 2)
        assert (agent.model, agent.temperature, agent.max_output_tokens) == ("scripted-2", 0.5, 9)
        assert agents.service.get("ada", agent.id) == agent

    def test_two_agents_may_have_the_same_name(self) -> None:
        agents = Agents()
        assert agents.new().id != agents.new().id

    def test_a_model_that_is_not_available_is_refused_with_the_available_ones(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            Agents().new(model="gpt-imaginary")
        (issue,) = refusal.value.issues
        assert (issue.field, issue.rule) == ("model", "must be one of: scripted-1, scripted-2")

    def test_an_owner_at_the_limit_must_delete_an_agent_to_create_one(self) -> None:
        agents = Agents()
        created = [agents.new() for _ in range(AGENTS_PER_OWNER)]
        with pytest.raises(Conflict, match="you have 100 agents"):
            agents.new()
        agents.new("bob")
        agents.service.delete("ada", created[7].id)
        agents.new()


class TestUpdate:
    def test_an_update_changes_only_the_given_fields(self) -> None:
        agents = Agents()
        agent = agents.new(model="scripted-2", temperature=0.5)
        agents.clock.advance(5)
        changed = agents.service.update("ada", agent.id, {"temperature": None, "name": "Chatty"})
        assert (changed.version, changed.name, changed.temperature) == (2, "Chatty", None)
        assert (changed.model, changed.instructions) == (agent.model, agent.instructions)
        assert (changed.created_at, changed.updated_at) == (agent.created_at, agents.clock())

    def test_a_replaced_version_expires_after_a_week_and_the_latest_never(self) -> None:
        agents = Agents()
        agent = agents.new()
        changed = agents.service.update("ada", agent.id, {"name": "Chatty"})
        agents.clock.advance(KEPT_SECONDS - 1)
        assert agents.service.get("ada", agent.id, version=1) == agent.model_copy(
            update={"expires_at": int(agent.created_at.timestamp()) + KEPT_SECONDS}
        )
        agents.clock.advance(1)
        with pytest.raises(NotFound, match=r"version 1 .* is no longer stored; the latest is 2"):
            agents.service.get("ada", agent.id, version=1)
        assert agents.service.get("ada", agent.id, version=2) == changed

    def test_every_version_can_be_read(self) -> None:
        agents = Agents()
        agent = agents.new()
        changed = agents.service.update("ada", agent.id, {"name": "Chatty"})
        assert agents.service.get("ada", agent.id) == changed
        assert agents.service.get("ada", agent.id, version=1).name == agent.name
        with pytest.raises(NotFound, match="does not exist; the latest is 2"):
            agents.service.get("ada", agent.id, version=3)

    def test_an_update_of_an_old_version_is_a_conflict(self) -> None:
        agents = Agents()
        agent = agents.new()
        agents.service.update("ada", agent.id, {"name": "First"}, expected_version=1)
        with pytest.raises(Conflict, match="at version 2, not 1"):
            agents.service.update("ada", agent.id, {"name": "Second"}, expected_version=1)
        assert agents.service.get("ada", agent.id).name == "First"

    def test_concurrent_updates_make_two_versions_unless_one_expects_a_version(self) -> None:
        agents = Agents()
        agent = agents.new()
        store = ConcurrentUpdates(agents)
        service = AgentService(agents=store, allowed_models=MODELS, clock=agents.clock)
        store.times = 1
        both = service.update("ada", agent.id, {"name": "Chatty"})
        assert (both.version, both.name, both.temperature) == (3, "Chatty", 1.5)

        store.times = 1
        with pytest.raises(Conflict, match="at version 4, not 3"):
            service.update("ada", agent.id, {"name": "Silent"}, expected_version=3)

    def test_an_empty_update_is_refused_with_the_possible_fields(self) -> None:
        agents = Agents()
        with pytest.raises(InvalidInput) as refusal:
            agents.service.update("ada", agents.new().id, {})
        (issue,) = refusal.value.issues
        assert issue.field == "body"
        assert issue.rule.endswith("name, instructions, model, temperature, allowedTools, maxOutputTokens")

    def test_an_agent_whose_model_is_no_longer_available_can_be_updated(self) -> None:
        agents = Agents()
        agent = agents.new(model="scripted-2")
        agents.service = AgentService(agents=agents.store, allowed_models=("scripted-1",), clock=agents.clock)
        assert agents.service.update("ada", agent.id, {"name": "Chatty"}).model == "scripted-2"
        with pytest.raises(InvalidInput):
            agents.service.update("ada", agent.id, {"model": "scripted-2"})


class TestDeletion:
    def test_its_owner_and_new_jobs_cannot_find_a_deleted_agent(self) -> None:
        agents = Agents()
        agent = agents.new()
        for _ in range(2):
            agents.service.delete("ada", agent.id)
        for version in (None, 1):
            with pytest.raises(NotFound):
                agents.service.get("ada", agent.id, version=version)
        with pytest.raises(NotFound):
            agents.service.update("ada", agent.id, {"name": "Chatty"})
        assert agents.service.list_agents("ada", limit=20, cursor=None).agents == []
        assert agents.service.find("ada", agent.id) is None

    def test_existing_jobs_find_the_version_of_a_deleted_agent_for_a_week(self) -> None:
        agents = Agents()
        agent = agents.new()
        agents.service.delete("ada", agent.id)
        agents.clock.advance(KEPT_SECONDS - 1)
        assert agents.store.version(agent.id, 1) is not None
        agents.clock.advance(1)
        assert agents.store.version(agent.id, 1) is None
        with pytest.raises(NotFound):
            agents.service.delete("ada", agent.id)


class TestOwnership:
    def test_another_owners_agent_cannot_be_read_changed_or_used(self) -> None:
        agents = Agents()
        agent = agents.new("bob")
        with pytest.raises(Forbidden):
            agents.service.get("ada", agent.id)
        with pytest.raises(Forbidden):
            agents.service.update("ada", agent.id, {"name": "Mine"})
        with pytest.raises(Forbidden):
            agents.service.delete("ada", agent.id)
        assert agents.service.find("ada", agent.id) is None
        assert agents.service.find("bob", agent.id) == agent

    @pytest.mark.parametrize("agent_id", [UNKNOWN, "agt_x", "job_01jd8x2v5n7k3q9w4t6y8z0abc", ""])
    def test_an_unknown_agent_is_not_found(self, agent_id: str) -> None:
        agents = Agents()
        with pytest.raises(NotFound):
            agents.service.get("ada", agent_id)
        assert agents.service.find("ada", agent_id) is None

    def test_an_invalid_cursor_is_refused_with_its_field(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            Agents().service.list_agents("ada", limit=20, cursor="x")
        assert [issue.field for issue in refusal.value.issues] == ["cursor"]
