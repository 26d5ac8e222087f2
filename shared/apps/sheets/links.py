"""Let jobs be linked to sessions: the session must be stored, open, and belong to the job's owner."""

from __future__ import annotations

from collections.abc import Container

from shared.apps.sheets.session import SessionState
from shared.apps.sheets.session_id import SESSION_ID
from shared.apps.sheets.session_store import SessionStore
from shared.errors import Conflict
from shared.jobs.job import Job
from shared.jobs.store import PreparedWrites


class LinkedSessions:
    """Implements LinkedEntities for sessions.

    The jobs of `own_pipelines` change their session in the same transaction, so that change has the condition.
    """

    def __init__(self, sessions: SessionStore, *, own_pipelines: Container[str]) -> None:
        self._sessions = sessions
        self._own_pipelines = own_pipelines

    def condition(self, job: Job, entity_id: str) -> PreparedWrites | None:
        """Prepare the condition that the session is open. Return None if it is not the owner's.

        Raises Conflict if it is closed.
        """
        session = self._sessions.get(entity_id) if SESSION_ID.fullmatch(entity_id) else None
        if session is None or session.owner != job.owner:
            return None
        if session.state is SessionState.CLOSED:
            raise Conflict("the session is CLOSED and takes no more jobs; create another session", state=session.state)
        return PreparedWrites(()) if job.pipeline in self._own_pipelines else self._sessions.prepare_open(session.id)
