"""The agent store port, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from shared.agents.agent import AGENT_ID, Agent
from shared.agents.store import AgentChanged, AgentLimitReached, AgentPage
from shared.clock import Clock


class FakeAgentStore:
    """Implements AgentStore. It stores agents as JSON, so that a read never returns the object that was written."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: dict[str, str] = {}
        self._replaced: dict[tuple[str, int], str] = {}

    def put_new(self, agent: Agent, *, limit: int) -> None:
        with self._lock:
            if self._latest.get(agent.id) == agent.model_dump_json():
                return
            if len(self._in_use(agent.owner)) >= limit:
                raise AgentLimitReached
            self._latest[agent.id] = agent.model_dump_json()

    def get(self, agent_id: str) -> Agent | None:
        with self._lock:
            return self._shown(self._latest.get(agent_id))

    def version(self, agent_id: str, version: int) -> Agent | None:
        with self._lock:
            latest = self._shown(self._latest.get(agent_id))
            if latest is not None and latest.version == version:
                return latest
            return self._shown(self._replaced.get((agent_id, version)))

    def replace(self, before: Agent, after: Agent, *, expires_at: int) -> None:
        with self._lock:
            latest = self._shown(self._latest.get(after.id))
            if latest == after:
                return
            if latest is None or latest.deleted or latest.version != before.version:
                raise AgentChanged
            self._latest[after.id] = after.model_dump_json()
            ended = before.model_copy(update={"expires_at": expires_at})
            self._replaced[before.id, before.version] = ended.model_dump_json()

    def remove(self, agent: Agent, *, expires_at: int) -> None:
        with self._lock:
            latest = self._shown(self._latest.get(agent.id))
            if latest is None or latest.deleted:
                return
            ends = {"expires_at": expires_at}
            self._latest[agent.id] = latest.model_copy(update=ends).model_dump_json()

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        with self._lock:
            agents = [Agent.model_validate_json(text) for text in self._latest.values()]
            return iter(sorted(each.id for each in agents if each.owner == owner and each.deleted is gone))

    def erase(self, agent_id: str) -> None:
        with self._lock:
            self._latest.pop(agent_id, None)
            self._replaced = {key: text for key, text in self._replaced.items() if key[0] != agent_id}

    def list_owned(self, owner: str, *, limit: int, cursor: str | None) -> AgentPage:
        with self._lock:
            if cursor is not None and not AGENT_ID.fullmatch(cursor):
                raise ValueError("not a cursor of this store")
            found = [agent for agent in self._in_use(owner) if cursor is None or agent.id < cursor]
            return AgentPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def _in_use(self, owner: str) -> list[Agent]:
        agents = [Agent.model_validate_json(text) for text in self._latest.values()]
        mine = [agent for agent in agents if agent.owner == owner and not agent.deleted]
        return sorted(mine, key=lambda agent: agent.id, reverse=True)

    def _shown(self, text: str | None) -> Agent | None:
        if text is None:
            return None
        agent = Agent.model_validate_json(text)
        expired = agent.expires_at is not None and agent.expires_at <= self._clock().timestamp()
        return None if expired else agent
