"""The agents API on the wire: requests, answers, and how agents turn into them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import MISSING, ConfigDict, Field

from shared.agents.agent import Agent, AgentName, AgentSettings, Instructions, MaxOutputTokens, ModelName, Temperature
from shared.agents.store import AgentPage
from shared.schema import Schema

AgentId = Annotated[str, Path(alias="agentId", description="the id that creating the agent answered", max_length=64)]


class NewAgent(AgentSettings):
    """An agent to be made."""

    # Our own code may say `max_output_tokens`; a client may not.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class AgentChanges(Schema):
    """What to change about an agent: fields that are left out stay, null resets one to what it is without."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    name: AgentName | MISSING = MISSING
    instructions: Instructions | MISSING = MISSING
    model: ModelName | MISSING | None = MISSING
    temperature: Temperature | MISSING | None = MISSING
    max_output_tokens: MaxOutputTokens | MISSING | None = MISSING
    version: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="the version the changes were made to: refused when there is a later one by now",
    )


class AgentDetail(AgentSettings):
    """One version of an agent; `createdAt` is the agent's, `updatedAt` the version's."""

    agent_id: str
    version: int
    created_at: datetime
    updated_at: datetime


class AgentList(Schema):
    """One page of latest versions, newest agent first; `cursor` asks for the next one, null on the last page."""

    agents: tuple[AgentDetail, ...]
    cursor: str | None


class AgentDeleted(Schema):
    """The agent is deleted."""

    agent_id: str


def detail(agent: Agent) -> AgentDetail:
    shown = AgentDetail.model_fields.keys() & Agent.model_fields.keys()
    return AgentDetail(agent_id=agent.id, **{name: getattr(agent, name) for name in shown})


def page(found: AgentPage) -> AgentList:
    return AgentList(agents=tuple(detail(agent) for agent in found.agents), cursor=found.cursor)
