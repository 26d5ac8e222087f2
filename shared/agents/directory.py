"""The port through which a new job finds its agent."""

from __future__ import annotations

from typing import Protocol

from shared.agents.agent import Agent


class AgentDirectory(Protocol):
    """Find agents for new jobs."""

    def find(self, owner: str, agent_id: str) -> Agent | None:
        """Return the agent's latest version; None if it does not exist, is deleted or has another owner."""
