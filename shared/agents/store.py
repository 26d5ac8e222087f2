"""The port to stored agents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.agents.agent import Agent


class AgentChanged(Exception):
    """The write was for another version than the latest one, or the agent is deleted."""


class AgentLimitReached(Exception):
    """The owner has reached the maximum number of agents."""


@dataclass(frozen=True, slots=True)
class AgentPage:
    """One page of agents, newest first; `cursor` is None on the last page."""

    agents: Sequence[Agent]
    cursor: str | None


class AgentVersions(Protocol):
    """Read the agent version that a job uses."""

    def version(self, agent_id: str, version: int) -> Agent | None:
        """Return one version; None if it does not exist, or has expired after it was replaced or deleted."""


class AgentStore(AgentVersions, Protocol):
    """Store agents, and their replaced versions until these expire. Repeating a write changes nothing."""

    def put_new(self, agent: Agent, *, limit: int) -> None:
        """Store the first version. Raises AgentLimitReached if the owner has `limit` agents that are not deleted."""

    def get(self, agent_id: str) -> Agent | None:
        """Return the latest version, also of a deleted agent until it expires; None if there is none."""

    def replace(self, before: Agent, after: Agent, *, expires_at: int) -> None:
        """Store `after` as the latest version, and let `before` expire at `expires_at` (Unix seconds).

        Raises AgentChanged if `before` is not the latest version.
        """

    def remove(self, agent: Agent, *, expires_at: int) -> None:
        """Delete the agent, and let its latest version expire at `expires_at` (Unix seconds)."""

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        """Yield the ids of all agents of the owner, or with `gone` of the deleted ones; the latest may be missing."""

    def erase(self, agent_id: str) -> None:
        """Remove all versions of the agent, also those that jobs could still read. It can be repeated if it fails."""

    def list_owned(self, owner: str, *, limit: int, cursor: str | None) -> AgentPage:
        """Return a page of the owner's agents that are not deleted.

        Raises ValueError for an invalid cursor.
        """
