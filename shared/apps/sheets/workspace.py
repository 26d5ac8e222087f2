"""The workbook of one chat job, as the tool loop reads and changes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.engine_faults import transient_engine
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.history import History
from shared.apps.sheets.publishing import Change, Publishing
from shared.apps.sheets.session import Session, SessionState, Version
from shared.apps.sheets.session_store import DataGone, SessionStore
from shared.apps.sheets.tools.outcomes import PlannedChange, SheetEffect, UndoLastChange, refused
from shared.apps.sheets.tools.receipts import receipt, undo_receipt
from shared.apps.sheets.workbook import (
    Applied,
    EngineGone,
    SheetErrorCode,
    SnapshotUnreadable,
    Workbook,
    WorkbookRefusal,
)
from shared.errors import Conflict, DataLost, JobEnded, NotFound
from shared.stages.attempt_guard import AttemptGuard
from shared.tools.result import ToolResult, failed
from shared.tools.tool import Outcome

_VERSIONS_LOOKED_AT = 100
_MOST_NOTES = 3


@dataclass(frozen=True, slots=True)
class SheetServices:
    """What a workspace is built on."""

    sessions: SessionStore
    publishing: Publishing
    history: History
    health: SessionHealth


class _PlanRefused(Exception):
    """The call cannot be planned for the newer workbook; `result` says why."""

    def __init__(self, result: ToolResult) -> None:
        super().__init__(result.summary)
        self.result = result


class SheetWorkspace:
    """Implements the loop's Workspace. One workbook process is open at a time: that of the session's newest version.

    `guard` is that of the attempt, which publishes nothing when a newer one has begun. `base` is the session's version
    when the job began: what the job has published is newer. Close the workspace when the attempt ends.
    """

    def __init__(self, services: SheetServices, *, session_id: str, guard: AttemptGuard, base: int) -> None:
        self._services = services
        self._session_id = session_id
        self._guard = guard
        self._base = base
        self._seen = base
        self._notes: list[str] = []
        self._session: Session | None = None
        self._workbook: Workbook | None = None
        self._opening: asyncio.Future[Workbook] | None = None
        self.lost: DataLost | None = None
        """Why the workbook cannot be opened: the loop tells the model, and then the job fails with it."""

    def begin(self) -> None:
        """Begin to open the workbook, while the model is being asked."""
        self._opening = asyncio.ensure_future(asyncio.to_thread(self._current))

    async def state(self) -> Workbook:
        """Return the workbook of the newest version.

        Raises:
            JobEnded: the session is closed or was deleted.
            DataLost: its data is not stored any more, or cannot be read.
        """
        if self._opening is not None:
            opening, self._opening = self._opening, None
            await opening
        return await asyncio.to_thread(self._current)

    async def published(self, origin: str) -> ToolResult | None:
        """Return the result of the version that this call has published; None if it has published none."""
        find = partial(self._services.publishing.find, self._session_id, origin, after=self._base)
        version = await asyncio.to_thread(find)
        return None if version is None else _result_of(version)

    async def publish(self, origin: str, outcome: Outcome[SheetEffect]) -> ToolResult:
        """Apply the change, compute the workbook again, and publish it as a version; or undo the job's last one.

        Raises AttemptStopped if the job is not the session's active job any more, or a newer attempt has begun.
        """
        (effect,) = outcome.effects
        if isinstance(effect, UndoLastChange):
            return await asyncio.to_thread(self._undo, origin)
        return await asyncio.to_thread(self._change, origin, effect, outcome.result)

    async def close(self) -> None:
        """End the workbook's process."""
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
            self._opening = None
        await asyncio.to_thread(self._discard)

    # ---- the workbook ------------------------------------------------------------------------------------------------

    def _current(self) -> Workbook:
        """Return the open workbook if it is that of the newest version and its process lives; else open it again."""
        session = self._head()
        self._note_others(session.version)
        before, self._session = self._session, session
        if self._workbook is not None and before is not None and before.version == session.version and self._lives():
            return self._workbook
        self._discard()
        self._workbook = self._opened(session)
        return self._workbook

    def _head(self) -> Session:
        session = self._services.sessions.get(self._session_id)
        if session is None or session.state is SessionState.CLOSED:
            raise JobEnded("the session was closed")
        return session

    def _opened(self, session: Session) -> Workbook:
        try:
            return self._services.publishing.open(session)
        except Conflict as conflict:
            self.lost = DataLost(conflict.message, code=conflict.code)
        except (DataGone, SnapshotUnreadable) as error:
            lost = self._services.health.lost(session, unreadable=isinstance(error, SnapshotUnreadable))
            self.lost = DataLost(lost.message, code=lost.code)
        raise self.lost

    def _lives(self) -> bool:
        """Return whether the workbook's process answers. A call that was late or too large has ended it."""
        assert self._workbook is not None  # noqa: S101 - the caller has one
        try:
            self._workbook.read(self._workbook.sheets[0].name, Area(Cell(1, 1), Cell(1, 1)))
        except (EngineGone, WorkbookRefusal):
            return False
        return True

    def _discard(self) -> None:
        if self._workbook is not None:
            self._workbook.close()
            self._workbook = None

    def _note_others(self, version: int) -> None:
        """Note which changes people have made since the model's last call; its next change says so."""
        if version <= self._seen:
            return
        newest = self._services.sessions.versions(self._session_id, limit=min(version - self._seen, 20))
        others = [each for each in newest if each.number > self._seen and not self._is_own(each)]
        self._notes += [_note(each) for each in reversed(others)]
        self._seen = version

    def _is_own(self, version: Version) -> bool:
        return (version.origin or "").startswith(f"{self._guard.job_id}:")

    # ---- changes -----------------------------------------------------------------------------------------------------

    def _change(self, origin: str, effect: PlannedChange, planned: ToolResult) -> ToolResult:
        assert self._workbook is not None  # noqa: S101 - the tool has planned with it
        assert self._session is not None  # noqa: S101 - it was opened for a session
        try:
            with transient_engine():
                applied = self._workbook.apply(effect.ops)
        except WorkbookRefusal as refusal:
            return refused(refusal)
        workbook, self._workbook = self._workbook, None  # it is ahead of the newest version until that is published
        change = self._change_of(origin, effect, planned)
        again = partial(self._planned_again, effect, change)
        try:
            done = self._services.publishing.publish(self._session, workbook, applied, change, again=again)
        except _PlanRefused as problem:
            return problem.result
        except WorkbookRefusal as refusal:
            return refused(refusal)
        except Conflict as conflict:
            return _conflict(conflict)
        except NotFound as gone:
            raise JobEnded("the session was deleted") from gone
        self._session, self._workbook = done.session, done.workbook
        self._seen = done.session.version
        return _result_of(done.version)

    def _change_of(self, origin: str, effect: PlannedChange, planned: ToolResult) -> Change:
        notes, self._notes = self._notes, []
        return Change(
            ops=effect.ops,
            by="model",
            title=planned.summary,
            origin=origin,
            guard=self._guard,
            after=self._base,
            result=_receipt_of(planned, notes),
        )

    def _planned_again(self, effect: PlannedChange, change: Change, workbook: Workbook) -> Change:
        """Plan the call for a newer workbook, which another writer has published meanwhile."""
        outcome = effect.again(workbook)
        if not outcome.result.ok:
            raise _PlanRefused(outcome.result)
        (newer,) = outcome.effects
        assert isinstance(newer, PlannedChange)  # noqa: S101 - the same tool
        self._note_others(self._head().version)
        notes, self._notes = self._notes, []
        return replace(change, ops=newer.ops, title=outcome.result.summary, result=_receipt_of(outcome.result, notes))

    def _undo(self, origin: str) -> ToolResult:
        session = self._head()
        undone = self._last_change(session)
        if undone is None:
            return failed(
                SheetErrorCode.NOTHING_FOUND,
                "the newest change of the workbook is not one that you made in this answer",
                hint="answer without it; the person can undo earlier changes",
            )
        try:
            after, version = self._services.history.undo(
                session,
                guard=self._guard,
                origin=origin,
                result=lambda made: _stored(undo_receipt(undone.title, made.changed, made.number)),
            )
        except Conflict as conflict:
            return _conflict(conflict)
        self._discard()
        self._session, self._seen = after, after.version
        return _result_of(version)

    def _last_change(self, session: Session) -> Version | None:
        """Return the version whose contents the workbook has now, if it is a change that this job has made."""
        newest = self._services.sessions.versions(self._session_id, limit=_VERSIONS_LOOKED_AT)
        head = next((each for each in newest if each.number == session.version), None)
        if head is None or not self._is_own(head):
            return None
        same = (each for each in newest if each.kind == "change" and each.map == head.map)
        found = head if head.kind == "change" else next(same, None)
        return found if found is not None and self._is_own(found) else None


def _receipt_of(planned: ToolResult, notes: Sequence[str]) -> Callable[[Applied, int], Mapping[str, Any]]:
    said = list(notes[-_MOST_NOTES:])
    return lambda applied, number: _stored(receipt(planned, applied, number, said))


def _stored(result: ToolResult) -> dict[str, Any]:
    return result.model_dump(mode="json", exclude_none=True)


def _result_of(version: Version) -> ToolResult:
    """Return what the call has returned that made this version."""
    return ToolResult.model_validate(version.result)


def _note(version: Version) -> str:
    where = ", ".join(f"{each.sheet}!{each.range}" for each in version.changed[:3]) or "the workbook"
    return f"meanwhile a person changed {where} ({version.title}, version {version.number})"


def _conflict(conflict: Conflict) -> ToolResult:
    return failed(SheetErrorCode.CONFLICT, conflict.message, hint="read the range again, then repeat the call")
