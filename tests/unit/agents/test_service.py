"""Agents as their owners see them: make, look up, list, change, delete; and as jobs find them."""

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


class Desk:
    """The service over fakes."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.store = FakeAgentStore(clock=self.clock)
        self.service = AgentService(agents=self.store, allowed_models=MODELS, clock=self.clock)

    def new(self, owner: str = "ada", **fields: Any) -> Agent:
        return self.service.create(owner, settings(**fields))


class Overtaken:
    """A desk's store, but somebody else changes the agent right before the next `times` changes get there."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.times = 0
        self.put_new = desk.store.put_new
        self.get = desk.store.get
        self.version = desk.store.version
        self.remove = desk.store.remove
        self.list_owned = desk.store.list_owned

    def replace(self, agent: Agent) -> None:
        if self.times:
            self.times -= 1
            self._desk.service.update(agent.owner, agent.id, {"temperature": 1.5})
        self._desk.store.replace(agent)


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
    def test_a_value_beyond_its_bounds_is_refused(self, field: str, value: Any) -> None:
        with pytest.raises(ValidationError) as refusal:
            settings(**{field: value})
        assert len(refusal.value.errors()) == 1

    def test_texts_are_stripped_and_bounds_are_inside(self) -> None:
        made = settings(
            name=f" {'x' * 100} ", instructions=f"\n{'y' * 8000}\n", temperature=2, max_output_tokens=100_000
        )
        assert (made.name, made.instructions) == ("x" * 100, "y" * 8000)
        assert (made.temperature, made.max_output_tokens) == (2.0, 100_000)


class TestCreating:
    def test_an_agent_begins_with_version_1(self) -> None:
        desk = Desk()
        agent = desk.new(model="scripted-2", temperature=0.5, max_output_tokens=9)
        assert (agent.version, agent.owner, agent.created_at, agent.updated_at) == (1, "ada", *[desk.clock()] * 2)
        assert (agent.model, agent.temperature, agent.max_output_tokens) == ("scripted-2", 0.5, 9)
        assert desk.service.get("ada", agent.id) == agent

    def test_two_agents_may_have_one_name(self) -> None:
        desk = Desk()
        assert desk.new().id != desk.new().id

    def test_a_model_that_is_not_offered_is_refused_with_those_that_are(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            Desk().new(model="gpt-imaginary")
        (issue,) = refusal.value.issues
        assert (issue.field, issue.rule) == ("model", "must be one of: scripted-1, scripted-2")

    def test_no_owner_has_more_than_the_limit_and_a_deleted_one_makes_room(self) -> None:
        desk = Desk()
        agents = [desk.new() for _ in range(AGENTS_PER_OWNER)]
        with pytest.raises(Conflict, match="you have 100 agents"):
            desk.new()
        desk.new("bob")
        desk.service.delete("ada", agents[7].id)
        desk.new()


class TestChanging:
    def test_what_is_named_changes_and_all_else_stays(self) -> None:
        desk = Desk()
        agent = desk.new(model="scripted-2", temperature=0.5)
        desk.clock.advance(5)
        changed = desk.service.update("ada", agent.id, {"temperature": None, "name": "Chatty"})
        assert (changed.version, changed.name, changed.temperature) == (2, "Chatty", None)
        assert (changed.model, changed.instructions) == (agent.model, agent.instructions)
        assert (changed.created_at, changed.updated_at) == (agent.created_at, desk.clock())

    def test_every_version_can_be_looked_up(self) -> None:
        desk = Desk()
        agent = desk.new()
        changed = desk.service.update("ada", agent.id, {"name": "Chatty"})
        assert desk.service.get("ada", agent.id) == changed
        assert desk.service.get("ada", agent.id, version=1) == agent
        with pytest.raises(NotFound, match="has no version 3; the latest is 2"):
            desk.service.get("ada", agent.id, version=3)

    def test_a_change_to_a_version_that_has_been_followed_is_a_conflict(self) -> None:
        desk = Desk()
        agent = desk.new()
        desk.service.update("ada", agent.id, {"name": "First"}, expected_version=1)
        with pytest.raises(Conflict, match="at version 2, not 1"):
            desk.service.update("ada", agent.id, {"name": "Second"}, expected_version=1)
        assert desk.service.get("ada", agent.id).name == "First"

    def test_two_changes_at_once_are_two_versions_unless_one_says_what_it_saw(self) -> None:
        desk = Desk()
        agent = desk.new()
        overtaken = Overtaken(desk)
        service = AgentService(agents=overtaken, allowed_models=MODELS, clock=desk.clock)
        overtaken.times = 1
        both = service.update("ada", agent.id, {"name": "Chatty"})
        assert (both.version, both.name, both.temperature) == (3, "Chatty", 1.5)

        overtaken.times = 1
        with pytest.raises(Conflict, match="at version 4, not 3"):
            service.update("ada", agent.id, {"name": "Silent"}, expected_version=3)

    def test_a_change_of_nothing_is_refused_and_names_what_could_be(self) -> None:
        desk = Desk()
        with pytest.raises(InvalidInput) as refusal:
            desk.service.update("ada", desk.new().id, {})
        (issue,) = refusal.value.issues
        assert issue.field == "body"
        assert issue.rule.endswith("name, instructions, model, temperature, maxOutputTokens")

    def test_a_model_that_is_not_offered_any_more_stops_no_other_change(self) -> None:
        desk = Desk()
        agent = desk.new(model="scripted-2")
        desk.service = AgentService(agents=desk.store, allowed_models=("scripted-1",), clock=desk.clock)
        assert desk.service.update("ada", agent.id, {"name": "Chatty"}).model == "scripted-2"
        with pytest.raises(InvalidInput):
            desk.service.update("ada", agent.id, {"model": "scripted-2"})


class TestDeleting:
    def test_a_deleted_agent_is_gone_for_its_owner_and_for_new_jobs(self) -> None:
        desk = Desk()
        agent = desk.new()
        for _ in range(2):
            desk.service.delete("ada", agent.id)
        for version in (None, 1):
            with pytest.raises(NotFound):
                desk.service.get("ada", agent.id, version=version)
        with pytest.raises(NotFound):
            desk.service.update("ada", agent.id, {"name": "Chatty"})
        assert desk.service.list_agents("ada", limit=20, cursor=None).agents == []
        assert desk.service.find("ada", agent.id) is None

    def test_jobs_that_were_made_with_it_find_its_version_for_a_week(self) -> None:
        desk = Desk()
        agent = desk.new()
        desk.service.delete("ada", agent.id)
        desk.clock.advance(KEPT_SECONDS - 1)
        assert desk.store.version(agent.id, 1) is not None
        desk.clock.advance(1)
        assert desk.store.version(agent.id, 1) is None
        with pytest.raises(NotFound):
            desk.service.delete("ada", agent.id)


class TestBelonging:
    def test_somebody_elses_agent_is_shown_and_lent_to_nobody(self) -> None:
        desk = Desk()
        agent = desk.new("bob")
        with pytest.raises(Forbidden):
            desk.service.get("ada", agent.id)
        with pytest.raises(Forbidden):
            desk.service.update("ada", agent.id, {"name": "Mine"})
        with pytest.raises(Forbidden):
            desk.service.delete("ada", agent.id)
        assert desk.service.find("ada", agent.id) is None
        assert desk.service.find("bob", agent.id) == agent

    @pytest.mark.parametrize("agent_id", [UNKNOWN, "agt_x", "job_01jd8x2v5n7k3q9w4t6y8z0abc", ""])
    def test_what_nobody_has_is_not_found(self, agent_id: str) -> None:
        desk = Desk()
        with pytest.raises(NotFound):
            desk.service.get("ada", agent_id)
        assert desk.service.find("ada", agent_id) is None

    def test_a_cursor_of_another_kind_is_refused_by_field(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            Desk().service.list_agents("ada", limit=20, cursor="x")
        assert [issue.field for issue in refusal.value.issues] == ["cursor"]
