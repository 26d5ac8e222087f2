"""The port to where agents are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.agents.agent import Agent


class AgentChanged(Exception):
    """The agent has another version than the write was made for, or is deleted."""


class AgentLimitReached(Exception):
    """The owner has as many agents as there may be."""


@dataclass(frozen=True, slots=True)
class AgentPage:
    """Newest first; `cursor` asks for what follows."""

    agents: Sequence[Agent]
    cursor: str | None


class AgentVersions(Protocol):
    """Where a job finds what its agent said when the job was made."""

    def version(self, agent_id: str, version: int) -> Agent | None:
        """One version as it was stored; None when there is none, or the agent was deleted long enough ago."""


class AgentStore(AgentVersions, Protocol):
    """Agents with all their versions. Each write happens once, however often the same one is repeated."""

    def put_new(self, agent: Agent, *, limit: int) -> None:
        """Store a first version. Raises AgentLimitReached when its owner has `limit` agents that are not deleted."""

    def get(self, agent_id: str) -> Agent | None:
        """The latest version; a deleted agent is there, and says so, until it expires."""

    def replace(self, agent: Agent) -> None:
        """Store the successor of version `agent.version - 1`. Raises AgentChanged when that is not the latest."""

    def remove(self, agent: Agent, *, expires_at: int) -> None:
        """Delete the agent. What becomes of its versions: they are there until `expires_at` (Unix seconds)."""

    def list_owned(self, owner: str, *, limit: int, cursor: str | None) -> AgentPage:
        """The latest versions of agents that are not deleted. Raises ValueError for a cursor that is not its own."""
