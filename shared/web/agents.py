"""Define the wire models of the agents API, and convert agents to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import MISSING, ConfigDict, Field

from shared.agents.agent import Agent, AgentSettings, GivenName, Instructions, MaxOutputTokens, ModelName, Temperature
from shared.agents.store import AgentPage
from shared.schema import Schema
from shared.web.body_size import kept_within

AgentId = Annotated[
    str, Path(alias="agentId", description="the agent's id, from the response that created it", max_length=64)
]


class NewAgent(AgentSettings):
    """The body of `POST /agents`: the settings of a new agent."""

    # Clients send the API's names only. Other schemas also accept Python's names, such as `max_output_tokens`.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    name: GivenName = Field(description="a name for people; several agents may have the same name")


class AgentChanges(Schema):
    """The body of `PATCH /agents/{agentId}`. Omit a field to keep it; send null to reset it to its default."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    name: GivenName | MISSING = MISSING
    instructions: Instructions | MISSING = MISSING
    model: ModelName | MISSING | None = MISSING
    temperature: Temperature | MISSING | None = MISSING
    max_output_tokens: MaxOutputTokens | MISSING | None = MISSING
    version: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="the version that the changes are based on; a conflict if the agent has a newer one",
    )


class AgentDetail(AgentSettings):
    """One version of an agent. `createdAt` is when the agent was created, `updatedAt` when this version was."""

    agent_id: str
    version: int
    created_at: datetime
    updated_at: datetime


class AgentList(Schema):
    """One page of the owner's agents in their latest versions, newest agent first.

    Send `cursor` to get the next page. It is null on the last page. A page has fewer agents than `limit` if more would
    not fit into one response.
    """

    agents: tuple[AgentDetail, ...]
    cursor: str | None


class AgentDeleted(Schema):
    """The id of the agent that was deleted."""

    agent_id: str


def detail(agent: Agent) -> AgentDetail:
    """Return the wire model of one version of an agent."""
    shown = AgentDetail.model_fields.keys() & Agent.model_fields.keys()
    return AgentDetail(agent_id=agent.id, **{name: getattr(agent, name) for name in shown})


def page(fetch: Callable[[int], AgentPage], limit: int) -> AgentList:
    """Return one page of at most `limit` agents, and of no more than one response may have.

    `fetch` returns the page of at most that many agents. If they are too large together, a smaller page is fetched.
    """
    while True:
        found = fetch(limit)
        agents = tuple(detail(agent) for agent in found.agents)
        fits = kept_within(agents)
        if all(fits):
            return AgentList(agents=agents, cursor=found.cursor)
        limit = fits.index(False)
