"""Let a person change cells, undo and redo, and look at the versions that came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from shared.apps.sheets.addresses import BadAddress, parse_cell
from shared.apps.sheets.engine_faults import transient_engine
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.history import History
from shared.apps.sheets.moves import Request, refuse_unless_possible
from shared.apps.sheets.ops import CellWrite, WriteCells
from shared.apps.sheets.publishing import Change, Publishing
from shared.apps.sheets.queries import owned_session
from shared.apps.sheets.session import Session, Version
from shared.apps.sheets.session_store import DataGone, SessionStore
from shared.apps.sheets.workbook import SheetErrorCode, SnapshotUnreadable, Workbook, WorkbookRefusal
from shared.errors import Conflict, FieldIssue, InvalidInput, PreconditionFailed

MOST_CHARACTERS = 32_767
"""The most characters of a cell in XLSX."""

LARGEST_NUMBER = 1.7976931348623157e308
"""The largest number of a cell: a double."""


class CellEdits:
    """Change workbooks for their owners. `owner` is the authenticated user."""

    def __init__(
        self, *, sessions: SessionStore, publishing: Publishing, history: History, health: SessionHealth
    ) -> None:
        self._sessions = sessions
        self._publishing = publishing
        self._history = history
        self._health = health

    def edit(
        self, owner: str, session_id: str, sheet: str, cells: Sequence[CellWrite], *, expected: int | None
    ) -> Version:
        """Write cells, and return the version that has them. `expected` is the version that the person has seen.

        Without `expected` the cells are written to the newest version, whichever that is.

        Raises:
            NotFound, Forbidden: as `owned_session`.
            InvalidInput: a cell, value or formula breaks its rule, or there is no such sheet.
            PreconditionFailed: the newest version is not the expected one.
            Conflict: the session is not active, its data is gone, or the workbook cannot be changed like this.
        """
        _refuse_bad(cells)
        session = self._session(owner, session_id, expected)
        change = Change((WriteCells(sheet=sheet, cells=tuple(cells)),), "user", _title(cells))
        with self._data_is_there(session), _refusals():
            workbook = self._publishing.open(session)
            try:
                with transient_engine():
                    applied = workbook.apply(change.ops)
                again = None if expected is None else _refuse_again(expected)
                published = self._publishing.publish(session, workbook, applied, change, again=again)
                workbook = published.workbook
            finally:
                workbook.close()
        return published.version

    def undo(self, owner: str, session_id: str, *, expected: int | None) -> Version:
        """Undo the newest version, and return the version that does it.

        Raises as `edit`, and Conflict as `History.undo`.
        """
        session = self._session(owner, session_id, expected)
        with self._data_is_there(session):
            return self._history.undo(session)[1]

    def redo(self, owner: str, session_id: str, *, expected: int | None) -> Version:
        """Redo what was undone last, and return the version that does. Raises as `undo`."""
        session = self._session(owner, session_id, expected)
        with self._data_is_there(session):
            return self._history.redo(session)[1]

    def versions(
        self, owner: str, session_id: str, *, limit: int, before: int | None
    ) -> tuple[Sequence[Version], int | None]:
        """Return a page of versions, newest first, and the number before which the next page begins."""
        session = owned_session(self._sessions, owner, session_id)
        found = self._sessions.versions(session.id, limit=limit + 1, before=before)
        return found[:limit], found[limit - 1].number if len(found) > limit else None

    def _session(self, owner: str, session_id: str, expected: int | None) -> Session:
        session = owned_session(self._sessions, owner, session_id)
        refuse_unless_possible(session, Request.CHANGE)
        if expected is not None and expected != session.version:
            raise moved(session.version, expected)
        return session

    @contextmanager
    def _data_is_there(self, session: Session) -> Iterator[None]:
        """Move the session to ERROR and raise Conflict if data of its newest version is gone or cannot be read."""
        try:
            yield
        except DataGone:
            raise self._health.lost(session) from None
        except SnapshotUnreadable:
            raise self._health.lost(session, unreadable=True) from None


def moved(newest: int, expected: int) -> PreconditionFailed:
    """Return the error for a change of a version that is not the newest one."""
    return PreconditionFailed(f"the newest version is {newest}, not {expected}; read the cells again, then repeat")


def _refuse_again(expected: int) -> Callable[[Workbook], NoReturn]:
    """Return the check of a change that may not be applied to a newer version."""

    def refuse(_: Workbook) -> NoReturn:
        raise PreconditionFailed(f"version {expected} is not the newest any more; read the cells again, then repeat")

    return refuse


def _title(cells: Sequence[CellWrite]) -> str:
    return f"Edit {cells[0].at}" if len(cells) == 1 else f"Edit {len(cells)} cells"


def _refuse_bad(cells: Sequence[CellWrite]) -> None:
    """Raise InvalidInput for the cells that break a rule."""
    issues = [issue for index, cell in enumerate(cells) for issue in _issues(f"cells.{index}", cell)]
    seen: set[str] = set()
    for index, cell in enumerate(cells):
        at = cell.at.replace("$", "").upper()
        if at in seen:
            issues.append(FieldIssue(f"cells.{index}.at", f"names {at} again; write each cell once"))
        seen.add(at)
    if issues:
        raise InvalidInput(issues[:20])


def _issues(field: str, cell: CellWrite) -> Iterator[FieldIssue]:
    try:
        parse_cell(cell.at)
    except BadAddress as error:
        yield FieldIssue(f"{field}.at", str(error))
    given = cell.model_fields_set & {"value", "formula"}
    if len(given) != 1:
        yield FieldIssue(field, "must have either a value or a formula; send the value null to clear the cell")
    value = cell.value
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        yield FieldIssue(f"{field}.value", f"must have at most {MOST_CHARACTERS} characters")
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        yield FieldIssue(f"{field}.value", f"must be a number of at most {LARGEST_NUMBER}")
    if "formula" in given and not (cell.formula or "").startswith("="):
        yield FieldIssue(f"{field}.formula", "must begin with =; send text as a value")


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the workbook refuses into the error of a request."""
    try:
        yield
    except WorkbookRefusal as refusal:
        text = refusal.message if refusal.hint is None else f"{refusal.message}; {refusal.hint}"
        if refusal.code is SheetErrorCode.CONFLICT:
            raise Conflict(text) from None
        field = "sheet" if refusal.code is SheetErrorCode.UNKNOWN_SHEET else "cells"
        raise InvalidInput([FieldIssue(field, text)]) from None
