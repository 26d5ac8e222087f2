"""What jobs know of agents: which one a user means."""

from __future__ import annotations

from typing import Protocol

from shared.agents.agent import Agent


class AgentDirectory(Protocol):
    """Finds agents for jobs that are being made."""

    def find(self, owner: str, agent_id: str) -> Agent | None:
        """The latest version of an agent; None when there is none, it is deleted, or it is somebody else's."""
