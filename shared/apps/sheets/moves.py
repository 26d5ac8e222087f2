"""The moves of a session: which are possible in which state, and the change that each makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.apps.sheets.session import (
    MOST_ERRORS,
    Session,
    SessionEvent,
    SessionProblem,
    SessionState,
    Source,
    StateChanged,
)
from shared.apps.sheets.session_store import SessionChange
from shared.errors import Conflict, ErrorCode


class Request(StrEnum):
    """What a client can ask of a session; the text completes “the session is closed and cannot …”."""

    UPLOAD = "get another file"
    LOAD = "be loaded"
    RECOVER = "be recovered"
    READ = "be read"
    CHANGE = "be changed"
    ASK = "be asked"
    EXPORT = "be exported"


POSSIBLE: Mapping[Request, tuple[SessionState, ...]] = {
    Request.UPLOAD: (SessionState.INITIALIZING, SessionState.ERROR),
    Request.LOAD: (SessionState.INITIALIZING, SessionState.ERROR),
    Request.RECOVER: (SessionState.ERROR,),
    Request.READ: (SessionState.ACTIVE,),
    Request.CHANGE: (SessionState.ACTIVE,),
    Request.ASK: (SessionState.ACTIVE,),
    Request.EXPORT: (SessionState.ACTIVE,),
}
"""The states in which each request is possible. A session can be closed and deleted in every state."""

_HELPS = {
    SessionState.INITIALIZING: "upload its file and load it first",
    SessionState.ACTIVE: "create another session to use another file",
    SessionState.ERROR: "the newest of its errors says what helps",
    SessionState.CLOSED: "create another session",
}


def refuse_unless_possible(session: Session, request: Request) -> None:
    """Raise Conflict if the session's state does not allow the request."""
    allowed = POSSIBLE[request]
    if session.state not in allowed:
        raise Conflict(
            f"the session is {session.state} and cannot {request}; {_HELPS[session.state]}",
            state=session.state,
            allowed=allowed,
        )


def refuse_if_busy(session: Session, *, except_for: str | None = None) -> None:
    """Raise Conflict if a job of the session runs, besides the one with the id `except_for`."""
    if session.active_job_id not in {None, except_for}:
        raise Conflict(
            "a job of the session runs; wait for its end or cancel it",
            code=ErrorCode.SESSION_BUSY,
            state=session.state,
            active_job_id=session.active_job_id,
        )


def changed(session: Session, at: datetime, *events: SessionEvent, **fields: Any) -> SessionChange:
    """Return the change that sets these fields of the session and adds these events."""
    after = session.model_copy(update={**fields, "seq": session.seq + len(events), "updated_at": at})
    return SessionChange(session, after, events)


def created(session: Session) -> SessionChange:
    """Return the change that stores a new session."""
    events = (StateChanged(state=session.state),)
    return SessionChange(None, session.model_copy(update={"seq": len(events)}), events)


def with_source(session: Session, source: Source, at: datetime) -> SessionChange:
    """Return the change after which the session waits for another upload."""
    return changed(session, at, StateChanged(state=session.state), source=source)


def closed(session: Session, at: datetime) -> SessionChange:
    """Return the change that closes the session."""
    state = SessionState.CLOSED
    return changed(session, at, StateChanged(state=state), state=state, closed_at=at)


def failed(session: Session, problem: SessionProblem, **fields: Any) -> SessionChange:
    """Return the change that moves the session to ERROR, or adds another error if it is there already."""
    state = SessionState.ERROR
    event = StateChanged(state=state, error=problem)
    return changed(session, problem.at, event, state=state, errors=_with(session, problem), **fields)


def _with(session: Session, problem: SessionProblem) -> tuple[SessionProblem, ...]:
    return (*session.errors, problem)[-MOST_ERRORS:]
