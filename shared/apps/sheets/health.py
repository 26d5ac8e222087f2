"""Check that the data of an active session is stored, and move the session to ERROR if it is not."""

from __future__ import annotations

from shared.apps.sheets import moves
from shared.apps.sheets.moves import Request, refuse_unless_possible
from shared.apps.sheets.saving import save
from shared.apps.sheets.session import Session, SessionProblem, SessionState
from shared.apps.sheets.session_store import SessionChange, SessionStore, WorkbookData
from shared.clock import Clock
from shared.errors import Conflict, ErrorCode

CHECKED_SECONDS = 60
"""How long data that was found is taken to be stored."""

MOST_REMEMBERED = 1000
"""How many sessions a process remembers as checked."""

GONE = "data of the workbook is no longer stored; recover the session: it goes back to its newest whole version"
UNREADABLE = (
    "data of the workbook cannot be read, because another version of the engine wrote it or it is damaged; recover the "
    "session: its file is loaded again, and its changes are made again"
)


class SessionHealth:
    """A session is valid if it is ACTIVE and the map and the snapshot of its newest version are stored."""

    def __init__(self, *, sessions: SessionStore, data: WorkbookData, clock: Clock) -> None:
        self._sessions = sessions
        self._data = data
        self._clock = clock
        self._checked: dict[tuple[str, str | None, str | None], float] = {}

    def refuse_unless_valid(self, session: Session, request: Request) -> None:
        """Raise Conflict if the session is not valid. If its data is gone, it is moved to ERROR first."""
        refuse_unless_possible(session, request)
        key = (session.id, session.map, session.snapshot)
        now = self._clock().timestamp()
        if now - self._checked.get(key, 0) < CHECKED_SECONDS:
            return
        maps = [session.map] if session.map is not None else []
        snapshots = [session.snapshot] if session.snapshot is not None else []
        if not maps or self._data.missing(session.id, maps=maps, snapshots=snapshots):
            raise self.lost(session)
        if len(self._checked) >= MOST_REMEMBERED:
            self._checked.clear()
        self._checked[key] = now

    def lost(self, session: Session, *, unreadable: bool = False) -> Conflict:
        """Move the session to ERROR, because its data is gone or cannot be read, and return the error to raise."""
        code = ErrorCode.DATA_UNREADABLE if unreadable else ErrorCode.DATA_GONE
        message = UNREADABLE if unreadable else GONE
        problem = SessionProblem(code=code, message=message, retryable=False, action="recover", at=self._clock())

        def decide(current: Session) -> SessionChange | None:
            still = current.state is SessionState.ACTIVE and current.version == session.version
            return moves.failed(current, problem) if still else None

        after = save(self._sessions, session, decide)
        return Conflict(message, code=code, state=after.state)
