"""A page of agents, which has to fit into one response of Lambda."""

from __future__ import annotations

import json

import pytest

from shared.agents.agent import AgentSettings
from shared.agents.service import AGENTS_PER_OWNER
from shared.web.agents import AgentList, page
from shared.web.body_size import MAX_SENT_BYTES
from tests.fakes.core import FakeCore

LARGEST = AgentSettings(
    name="\x01" * 100,
    instructions="\x01" * 8_000,
    model="scripted-1",
    allowed_tools=tuple(f"{number:a<64}" for number in "b" * 64),
    max_output_tokens=100_000,
)
"""Control characters take the most bytes: JSON escapes them, and Lambda escapes the JSON."""


def listed(core: FakeCore, limit: int, cursor: str | None = None) -> AgentList:
    return page(lambda most: core.agent_service.list_agents("ada", limit=most, cursor=cursor), limit)


@pytest.fixture
def core() -> FakeCore:
    core = FakeCore()
    for _ in range(AGENTS_PER_OWNER):
        core.agent_service.create("ada", LARGEST)
    return core


def test_the_largest_page_fits_into_a_response_and_the_next_one_continues(core: FakeCore) -> None:
    first = listed(core, AGENTS_PER_OWNER)
    assert 50 < len(first.agents) < AGENTS_PER_OWNER
    body = json.dumps(json.dumps(first.model_dump(mode="json", by_alias=True)))
    assert len(body) < MAX_SENT_BYTES + 10_000
    second = listed(core, AGENTS_PER_OWNER, first.cursor)
    assert second.cursor is None
    ids = [agent.agent_id for agent in (*first.agents, *second.agents)]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == AGENTS_PER_OWNER


def test_a_page_that_fits_has_as_many_agents_as_are_asked_for(core: FakeCore) -> None:
    assert len(listed(core, 50).agents) == 50
