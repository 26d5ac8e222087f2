"""Erase the agents of an owner."""

from __future__ import annotations

from datetime import datetime
from itertools import chain

from shared.agents.store import AgentStore
from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_each


class OwnerAgents:
    """Implements OwnerData for agents, with their versions and with those that were deleted but jobs could read."""

    name = "agents"
    holds = "agents with their versions"
    places = ("DurableTable AGENT#",)

    def __init__(self, agents: AgentStore, *, clock: Clock) -> None:
        self._agents = agents
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - none is left
        """Remove agents. The jobs that read them have been cancelled before."""
        found = chain(self._agents.ids_of(owner), self._agents.ids_of(owner, gone=True))
        return erase_each(found, self._agents.erase, clock=self._clock, until=until)
