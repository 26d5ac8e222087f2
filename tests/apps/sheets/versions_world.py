"""An active session whose workbook is computed by nothing, to read and change its cells on the fakes of all stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.apps.sheets.cells_query import CellRange, CellsQuery, Rows
from shared.apps.sheets.editing import CellEdits
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.history import History
from shared.apps.sheets.ops import CellWrite
from shared.apps.sheets.publishing import Publishing
from shared.apps.sheets.session import Session, Source, StateChanged, Version
from shared.apps.sheets.session_store import SessionChange
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.sessions import FakeSessionStore
from tests.fakes.workbook import FakeEngine
from tests.fakes.workbook_data import FakeWorkbookData

SESSION = "ses_01k0000000000000000000000a"
OWNER = "ada"


class VersionsWorld:
    """The services over one session with the sheet `Sheet1`; version 1 has `rows`."""

    def __init__(self, rows: Sequence[Sequence[str]] = (("a", "b"), ("c", "d"))) -> None:
        self.clock = SettableClock()
        self.sessions = FakeSessionStore()
        self.data = FakeWorkbookData(clock=self.clock)
        self.engine = FakeEngine()
        self.publishing = Publishing(sessions=self.sessions, data=self.data, engine=self.engine, clock=self.clock)
        self.history = History(publishing=self.publishing, sessions=self.sessions, data=self.data, clock=self.clock)
        self.health = SessionHealth(sessions=self.sessions, data=self.data, clock=self.clock)
        self.query = CellsQuery(sessions=self.sessions, data=self.data, health=self.health)
        self.edits = CellEdits(
            sessions=self.sessions, publishing=self.publishing, history=self.history, health=self.health
        )
        self._create(rows)

    def _create(self, rows: Sequence[Sequence[str]]) -> None:
        source = Source(key=f"sheets/{SESSION}/source", name="book.csv", bytes=1)
        session = Session(id=SESSION, owner=OWNER, title="book", seq=1, source=source, created_at=NOON, updated_at=NOON)
        self.sessions.save(SessionChange(None, session, (StateChanged(state=session.state),)))
        with_workbook = self.publishing.load(session, self.engine.workbook(rows), title="Load")
        self.sessions.save(with_workbook.change_of(session))

    @property
    def session(self) -> Session:
        found = self.sessions.get(SESSION)
        assert found is not None
        return found

    def change(self, **fields: Any) -> None:
        """Change fields of the session, as its other services do."""
        before = self.session
        after = before.model_copy(update={**fields, "seq": before.seq + 1})
        self.sessions.save(SessionChange(before, after, (StateChanged(state=after.state),)))

    def write(self, at: str, value: Any, *, expected: int | None = None) -> Version:
        return self.edits.edit(OWNER, SESSION, "Sheet1", [CellWrite(at=at, value=value)], expected=expected)

    def find(self, cells: str = "A1:C3", *, version: int | None = None, sheet: str = "Sheet1") -> CellRange:
        return self.query.find(OWNER, SESSION, sheet=sheet, cells=cells, version=version)

    def read(self, cells: str = "A1:C3", *, version: int | None = None) -> Rows:
        return self.query.read(self.find(cells, version=version))
