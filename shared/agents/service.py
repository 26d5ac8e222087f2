"""Create, read, update and delete agents for their owner, and find them for new jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.agents.agent import AGENT_ID, Agent, AgentSettings, new_agent_id
from shared.agents.store import AgentChanged, AgentLimitReached, AgentPage, AgentStore
from shared.clock import Clock
from shared.errors import Conflict, FieldIssue, Forbidden, InvalidInput, NotFound
from shared.observability.log import log

FIELDS = tuple(str(field.alias) for field in AgentSettings.model_fields.values())
"""The names of the settings, as clients write them."""

AGENTS_PER_OWNER = 100
"""Maximum number of agents of one owner; deleted agents do not count."""

KEPT_SECONDS = 7 * 24 * 3600
"""How long a replaced version, or a deleted agent, is stored for the jobs that use it: longer than any job can run."""


class AgentService:
    """Manage agents. `owner` is the authenticated user, who can use only their own agents."""

    def __init__(self, *, agents: AgentStore, allowed_models: Sequence[str], clock: Clock) -> None:
        self._agents = agents
        self._allowed_models = tuple(allowed_models)
        self._clock = clock

    def create(self, owner: str, settings: AgentSettings) -> Agent:
        """Store a new agent and return its first version.

        Raises:
            InvalidInput: the model is not available.
            Conflict: the owner has AGENTS_PER_OWNER agents.
        """
        self._check_model(settings.model)
        now = self._clock()
        agent = Agent(
            **{name: getattr(settings, name) for name in AgentSettings.model_fields},
            id=new_agent_id(int(now.timestamp() * 1000)),
            owner=owner,
            version=1,
            created_at=now,
            updated_at=now,
        )
        try:
            self._agents.put_new(agent, limit=AGENTS_PER_OWNER)
        except AgentLimitReached:
            raise Conflict(f"you have {AGENTS_PER_OWNER} agents, which is the limit; delete one first") from None
        log.info("agent created", agent_id=agent.id)
        return agent

    def get(self, owner: str, agent_id: str, *, version: int | None = None) -> Agent:
        """Return the latest version, or the version with this number.

        Raises:
            NotFound: the agent was deleted, or the version does not exist or was replaced KEPT_SECONDS ago.
            Forbidden: the agent has another owner.
        """
        latest = self._owned(owner, agent_id)
        if version is None or version == latest.version:
            return latest
        found = self._agents.version(agent_id, version)
        if found is None:
            missing = "is no longer stored" if version < latest.version else "does not exist"
            raise NotFound(f"version {version} of agent {agent_id} {missing}; the latest is {latest.version}")
        return found

    def list_agents(self, owner: str, *, limit: int, cursor: str | None) -> AgentPage:
        """Return a page of the owner's agents, newest first. Raises InvalidInput for an invalid cursor."""
        try:
            return self._agents.list_owned(owner, limit=limit, cursor=cursor)
        except ValueError:
            raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")]) from None

    def update(
        self, owner: str, agent_id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Agent:
        """Store the next version with `changes`, which sets fields of AgentSettings by name, and return it.

        With `expected_version`, store it only if that is still the latest version.

        Raises:
            NotFound: the agent does not exist or was deleted.
            Forbidden: the agent has another owner.
            InvalidInput: `changes` is empty, or its model is not available.
            Conflict: `expected_version` is not the latest version.
        """
        if not changes:
            raise InvalidInput([FieldIssue("body", f"must change at least one of: {', '.join(FIELDS)}")])
        self._check_model(changes.get("model"))
        while True:
            latest = self._owned(owner, agent_id)
            if expected_version is not None and expected_version != latest.version:
                raise Conflict(
                    f"the agent is at version {latest.version}, not {expected_version}; get it and change that"
                )
            now = self._clock()
            changed = latest.model_copy(update={**changes, "version": latest.version + 1, "updated_at": now})
            try:
                self._agents.replace(latest, changed, expires_at=int(now.timestamp()) + KEPT_SECONDS)
            except AgentChanged:
                continue  # another request has stored a version first: try again with that version
            log.info("agent changed", agent_id=agent_id, version=changed.version)
            return changed

    def delete(self, owner: str, agent_id: str) -> None:
        """Delete the agent. Jobs that use it keep their version. Deleting it again changes nothing.

        Raises:
            NotFound: the agent does not exist.
            Forbidden: the agent has another owner.
        """
        agent = self._stored(owner, agent_id)
        self._agents.remove(agent, expires_at=int(self._clock().timestamp()) + KEPT_SECONDS)
        log.info("agent deleted", agent_id=agent_id)

    def find(self, owner: str, agent_id: str) -> Agent | None:
        """Return the agent's latest version; None if it does not exist, is deleted or has another owner."""
        agent = self._agents.get(agent_id) if AGENT_ID.fullmatch(agent_id) else None
        return None if agent is None or agent.deleted or agent.owner != owner else agent

    def _owned(self, owner: str, agent_id: str) -> Agent:
        agent = self._stored(owner, agent_id)
        if agent.deleted:
            raise _unknown(agent_id)
        return agent

    def _stored(self, owner: str, agent_id: str) -> Agent:
        agent = self._agents.get(agent_id) if AGENT_ID.fullmatch(agent_id) else None
        if agent is None:
            raise _unknown(agent_id)
        if agent.owner != owner:
            raise Forbidden("this agent belongs to another user")
        return agent

    def _check_model(self, model: str | None) -> None:
        if model is not None and model not in self._allowed_models:
            raise InvalidInput([FieldIssue("model", f"must be one of: {', '.join(self._allowed_models)}")])


def _unknown(agent_id: str) -> NotFound:
    return NotFound(f"agent {agent_id[:64]} was not found or is deleted")
