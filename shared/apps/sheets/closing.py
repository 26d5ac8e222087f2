"""Close and delete sessions, and end the jobs that work on them."""

from __future__ import annotations

from datetime import timedelta

from shared.apps.sheets import moves
from shared.apps.sheets.queries import owned_session
from shared.apps.sheets.saving import save
from shared.apps.sheets.session import Session, SessionState
from shared.apps.sheets.session_store import SessionChange, SessionStore, WorkbookData
from shared.clock import Clock
from shared.jobs.cancellation import JobCancellation
from shared.jobs.erasure import JobErasure
from shared.jobs.job import LinkKind
from shared.observability.log import log

PAGE = 100
"""How many jobs are read at once."""


PURGED_AFTER = timedelta(hours=1)
"""When the sweep removes what was stored for a session after its deletion.

An upload may begin until its URL expires, after 15 minutes, and a function that stores data may run that long.
"""


class SessionClosing:
    """Close and delete sessions. `owner` is the authenticated user, who can end only their own."""

    def __init__(
        self,
        *,
        sessions: SessionStore,
        data: WorkbookData,
        cancellation: JobCancellation,
        erasure: JobErasure,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._data = data
        self._cancellation = cancellation
        self._erasure = erasure
        self._clock = clock

    def close(self, owner: str, session_id: str) -> Session:
        """Close the session and cancel its live jobs. It can be repeated.

        From the moment at which it is closed, no job can be created for it and none can publish a version.

        Raises NotFound and Forbidden, as `owned_session`.
        """
        session = owned_session(self._sessions, owner, session_id)
        closed = save(self._sessions, session, self._closed)
        if self._cancellation.cancel_linked(owner, LinkKind.SESSION, session.id):
            closed = self._sessions.get(session.id) or closed
        log.info("session closed", session_id=session.id)
        return closed

    def delete(self, owner: str, session_id: str) -> None:
        """Close the session, and remove it with all that belongs to it: its jobs, its data and its file.

        If a deletion failed halfway, call this again: it completes the deletion. An upload or a job that is storing
        data meanwhile may store more: the sweep removes it later.

        Raises NotFound and Forbidden, as `owned_session`.
        """
        session = self.close(owner, session_id)
        for job_id in self._job_ids(session.id):
            self._erasure.erase(owner, job_id)
        self._erasure.erase_linked(owner, LinkKind.SESSION, session.id)
        self._data.delete(session.id)
        # The session last: it names the jobs, so a repeated deletion still finds what to remove.
        self._sessions.delete(session.id, purge_at=self._clock() + PURGED_AFTER)
        # Once more for a job that was archived meanwhile. From now on archiving finds that the session is gone.
        self._erasure.erase_linked(owner, LinkKind.SESSION, session.id)
        log.info("session deleted", session_id=session.id)

    def _closed(self, session: Session) -> SessionChange | None:
        return None if session.state is SessionState.CLOSED else moves.closed(session, self._clock())

    def _job_ids(self, session_id: str) -> list[str]:
        found: list[str] = []
        while True:
            page = self._sessions.jobs(session_id, limit=PAGE, before=found[-1] if found else None)
            found += [each.job_id for each in page]
            if len(page) < PAGE:
                return found
