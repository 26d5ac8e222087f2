"""The sweep of sessions: give up what was never loaded, remove what was closed, and delete data that nothing needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.apps.sheets import moves
from shared.apps.sheets.closing import SessionClosing
from shared.apps.sheets.saving import save
from shared.apps.sheets.session import KEPT_DAYS, UNLOADED_HOURS, Session, SessionProblem, SessionState
from shared.apps.sheets.session_store import Retained, SessionChange, SessionStore, WorkbookData
from shared.clock import Clock
from shared.observability.log import log
from shared.schema import Schema

SWEEP_SECONDS = 40.0
"""Time limit of one sweep, well below the timeout of its function. The next sweep looks at what is left."""

LATER = timedelta(hours=1)
"""When the sweep looks again at a session that it could not finish."""

FRESH = timedelta(days=1)
"""Data that is younger may belong to a version that is being published."""

NOT_LOADED = f"the file was not loaded within {UNLOADED_HOURS} hours; upload it again"


class SessionSweepReport(Schema):
    """The result of one sweep: how many sessions it looked at, gave up and removed, and how many objects it deleted.

    `purged` is how many sessions it looked at that were deleted an hour before. `finished` is false if sessions are
    left, which the next sweep looks at.
    """

    looked_at: int = 0
    given_up: int = 0
    removed: int = 0
    thinned: int = 0
    purged: int = 0
    finished: bool = True


class SessionSweep:
    """Look at the sessions that are due. Safe at any time, also for two sweeps at once."""

    def __init__(
        self,
        *,
        sessions: SessionStore,
        data: WorkbookData,
        closing: SessionClosing,
        retained: Callable[[Session], Retained],
        clock: Clock,
    ) -> None:
        """`retained` returns the names of the data that a session still needs."""
        self._sessions = sessions
        self._data = data
        self._closing = closing
        self._retained = retained
        self._clock = clock

    def run(self) -> SessionSweepReport:
        """Look at all sessions that are due, for at most SWEEP_SECONDS.

        If one fails, look at the others first, at this one again an hour later, and then raise its error.
        """
        begin = self._clock()
        report = SessionSweepReport()
        failure: Exception | None = None
        while report.finished and (due := self._sessions.due(begin)):
            for session in due:
                if self._clock() >= begin + timedelta(seconds=SWEEP_SECONDS):
                    report = report.model_copy(update={"finished": False})
                    break
                try:
                    report = self._after(session, report)
                except Exception as error:  # noqa: BLE001 - raised at the end of the sweep
                    log.defect("session not swept", error, session_id=session.id)
                    self._sessions.postpone(session, begin + LATER)
                    failure = error
        report, not_purged = self._purge(begin, report)
        failure = not_purged or failure
        log.info("sessions swept", **report.model_dump())
        if failure is not None:
            raise failure
        return report

    def _purge(self, begin: datetime, report: SessionSweepReport) -> tuple[SessionSweepReport, Exception | None]:
        """Remove what was stored for sessions after their deletion, such as by an upload that began before it.

        Return the report after it, and the error of a session that could not be purged.
        """
        failures: dict[str, Exception] = {}
        while report.finished and (left := [each for each in self._sessions.deleted(begin) if each not in failures]):
            for session_id in left:
                if self._clock() >= begin + timedelta(seconds=SWEEP_SECONDS):
                    report = report.model_copy(update={"finished": False})
                    break
                try:
                    self._data.delete(session_id)
                    self._sessions.purge(session_id)
                except Exception as error:  # noqa: BLE001 - raised at the end of the sweep
                    log.defect("deleted session not purged", error, session_id=session_id)
                    failures[session_id] = error
                else:
                    report = report.model_copy(update={"purged": report.purged + 1})
        return report, next(iter(failures.values()), None)

    def _after(self, session: Session, report: SessionSweepReport) -> SessionSweepReport:
        """Do what is due for the session, and return the report after it."""
        counts = {"looked_at": 1}
        match session.state:
            case SessionState.INITIALIZING:
                counts["given_up"] = self._give_up(session)
            case SessionState.ERROR:
                counts["removed"] = self._remove(session)
            case SessionState.CLOSED:
                counts["removed"] = self._end(session)
            case SessionState.ACTIVE:
                counts["thinned"] = self._thin(session)
        return report.model_copy(update={name: getattr(report, name) + count for name, count in counts.items()})

    def _give_up(self, session: Session) -> int:
        """Move a session to ERROR that was not loaded in time, unless it is being loaded."""
        now = self._clock()
        problem = SessionProblem(code="NOT_LOADED", message=NOT_LOADED, retryable=True, action="upload", at=now)

        def decide(current: Session) -> SessionChange | None:
            still = current.seq == session.seq and current.active_job_id is None
            return moves.failed(current, problem) if still else None

        if save(self._sessions, session, decide).state is SessionState.ERROR:
            return 1
        self._sessions.postpone(session, now + LATER)
        return 0

    def _end(self, session: Session) -> int:
        """Cancel what still works on a closed session, and remove the session when its time is over."""
        until = (session.closed_at or session.updated_at) + timedelta(days=KEPT_DAYS)
        if until <= self._clock():
            return self._remove(session)
        closed = self._closing.close(session.owner, session.id)
        self._sessions.postpone(closed, until)
        return 0

    def _remove(self, session: Session) -> int:
        self._closing.delete(session.owner, session.id)
        return 1

    def _thin(self, session: Session) -> int:
        """Delete what no version of the session needs any more."""
        deleted = self._data.thin(session.id, self._retained(session), before=self._clock() - FRESH)
        self._sessions.postpone(session, None)
        return deleted
