"""Change a session as it is now: read, decide, write on condition, and try again if it has changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from shared.apps.sheets.queries import unknown_session
from shared.apps.sheets.session import Session
from shared.apps.sheets.session_store import SessionChange, SessionStore, StaleSession
from shared.errors import StorageThrottled

MOST_TRIES = 20
"""How often a change is decided again because another process has changed the session."""


def save(sessions: SessionStore, session: Session, decide: Callable[[Session], SessionChange | None]) -> Session:
    """Save the change that `decide` returns for the session, and return the session after it.

    `decide` gets the session again if it has changed; it returns None if there is nothing to change.

    Raises:
        NotFound: the session was deleted meanwhile.
        StorageThrottled: it changes all the time.
    """
    for _ in range(MOST_TRIES):
        change = decide(session)
        if change is None:
            return session
        try:
            sessions.save(change)
        except StaleSession:
            now = sessions.get(session.id)
            if now is None:
                raise unknown_session(session.id) from None
            session = now
        else:
            return change.after
    raise StorageThrottled("the session is changed by others all the time; try again")
