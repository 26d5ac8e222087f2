"""Read sessions for their owners: one, a page of them, or a page of one's messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.apps.sheets.session import ChatMessage, Session, SessionJob, SessionState
from shared.apps.sheets.session_id import MESSAGE_ID, SESSION_ID
from shared.apps.sheets.session_store import SessionStore
from shared.errors import FieldIssue, Forbidden, InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A page of messages, newest first, and their jobs by id; `cursor` is None on the last page."""

    messages: Sequence[ChatMessage]
    jobs: Mapping[str, SessionJob]
    cursor: str | None


class SessionQueries:
    """Read sessions. `owner` is the authenticated user, who sees only their own sessions."""

    def __init__(self, sessions: SessionStore) -> None:
        self._sessions = sessions

    def owned(self, owner: str, session_id: str) -> Session:
        """Return the owner's session, as `owned_session` does."""
        return owned_session(self._sessions, owner, session_id)

    def list_sessions(
        self, owner: str, *, state: SessionState | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Session], str | None]:
        """Return a page of the owner's sessions, newest first, and the cursor of the next page.

        Raises InvalidInput for an invalid cursor.
        """
        try:
            return self._sessions.list_of(owner, state=state, limit=limit, cursor=cursor)
        except ValueError:
            raise _bad_cursor() from None

    def messages(self, owner: str, session_id: str, *, limit: int, cursor: str | None) -> MessagePage:
        """Return a page of the session's messages. Raises InvalidInput, and what `owned` raises."""
        session = self.owned(owner, session_id)
        if cursor is not None and not MESSAGE_ID.fullmatch(cursor):
            raise _bad_cursor()
        found = self._sessions.messages(session.id, limit=limit + 1, before=cursor)
        page = found[:limit]
        ids = dict.fromkeys(each.job_id for each in page)
        jobs = {job_id: job for job_id in ids if (job := self._sessions.job(session.id, job_id)) is not None}
        return MessagePage(page, jobs, page[-1].id if len(found) > limit else None)


def owned_session(sessions: SessionStore, owner: str, session_id: str) -> Session:
    """Return the owner's session.

    Raises:
        NotFound: the session does not exist or was deleted.
        Forbidden: the session has another owner.
    """
    session = sessions.get(session_id) if SESSION_ID.fullmatch(session_id) else None
    if session is None:
        raise unknown_session(session_id)
    if session.owner != owner:
        raise Forbidden("this session belongs to another user")
    return session


def unknown_session(session_id: str) -> NotFound:
    """Return the error for a session that does not exist; it shows at most 64 characters of the client's id."""
    return NotFound(f"session {session_id[:64]} was not found or was deleted")


def _bad_cursor() -> InvalidInput:
    return InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")])
