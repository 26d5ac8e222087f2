"""The stages of sheet_load, with the real engine: what they refuse, and what a loaded session is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from openpyxl.workbook.protection import WorkbookProtection

from shared.apps.sheets.cells_query import CellsQuery
from shared.apps.sheets.editing import CellEdits
from shared.apps.sheets.engine.inspection import inspect
from shared.apps.sheets.history import History
from shared.apps.sheets.loading import MOST_FIRST_BYTES, STRUCTURE_LOCKED, InspectWorkbook, LoadWorkbook
from shared.apps.sheets.models import SheetLoadInput, WorkbookLoaded
from shared.apps.sheets.moves import Request
from shared.apps.sheets.ops import CellWrite
from shared.apps.sheets.publishing import MOST_OP_BYTES, Publishing
from shared.apps.sheets.session import FileFormat, Session, SessionState, Version
from shared.apps.sheets.uploads import NewFile
from shared.apps.sheets.work import Origin, SessionWork
from shared.apps.sheets.workbook import EngineGone, SheetErrorCode, WorkbookRefusal
from shared.errors import Conflict, DataLost, ErrorCode, MillraceError, StorageUnavailable, UnusableFile
from shared.jobs.job import Job
from tests.apps.sheets.engines import patient_engine
from tests.apps.sheets.session_world import OWNER, SessionWorld

CSV = b"region,amount\nNorth,120.5\nSouth,80\n"


class Loading:
    """A session with its load, stage by stage."""

    def __init__(self, content: bytes, *, announced: int | None = None) -> None:
        self.world = SessionWorld()
        self.session, _ = self.world.uploads.create(OWNER, None, NewFile("a.xlsx", announced or len(content)))
        self.world.upload(self.session, content)
        self.job: Job = self.world.start(self.session, "sheet_load", SheetLoadInput())
        engine = patient_engine()
        world = self.world
        self.inspect = InspectWorkbook(sessions=world.store, files=world.data, inspect=inspect)
        publishing = Publishing(sessions=world.store, data=world.data, engine=engine, clock=world.clock)
        self.history = History(publishing=publishing, sessions=world.store, data=world.data, clock=world.clock)
        self.edits = CellEdits(sessions=world.store, publishing=publishing, history=self.history, health=world.health)
        self.load = LoadWorkbook(
            sessions=world.store,
            files=world.data,
            engine=engine,
            publishing=publishing,
            changes=self.history.changes,
        )
        self.work = SessionWork(
            sessions=world.store,
            files=world.data,
            health=world.health,
            jobs=world.core.job_creation,
            recover=self.history.recover,
            can_rebuild=self.history.can_rebuild,
            clock=world.clock,
        )

    def run(self) -> Session:
        """Run both stages, complete the job, and return the session."""
        self.world.core.run(self.inspect, self.job)
        self.world.core.run(self.load, self.job)
        self.world.core.complete(self.job)
        return self.world.now(self.session)

    @property
    def result(self) -> WorkbookLoaded:
        found = self.world.core.job_queries.result(self.world.core.job(self.job.id))
        return WorkbookLoaded.model_validate(found)

    # ---- what a session is asked for later ---------------------------------------------------------------------------

    def write(self, at: str, **content: Any) -> Version:
        """Publish the edit of a person: a `value` or a `formula`."""
        session = self.world.now(self.session)
        cell = CellWrite(at=at, **content)
        return self.edits.edit(OWNER, session.id, session.sheets[0].name, [cell], expected=None)

    def read(self) -> list[list[Any]]:
        """Return the values of the newest version, as the stored blocks have them."""
        session = self.world.now(self.session)
        query = CellsQuery(sessions=self.world.store, data=self.world.data, health=self.world.health)
        found = query.find(OWNER, session.id, sheet=session.sheets[0].name, cells="A1:D4", version=None)
        return [[cell["value"] if isinstance(cell, dict) else cell for cell in row] for row in query.read(found)]

    def recover(self) -> Session:
        """Recover the session, with the job that it needs for that, and return it."""
        session, job = self.work.recover(OWNER, self.session.id, Origin())
        if job is None:
            return session
        self.job = job
        return self.run()


def xlsx(fill: Callable[[openpyxl.Workbook], object]) -> bytes:
    workbook = openpyxl.Workbook()
    fill(workbook)
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def two_sheets(workbook: openpyxl.Workbook) -> None:
    first = workbook.worksheets[0]
    first.title = "Sales"
    first["A1"], first["B1"], first["C2"] = "region", 2, "=B1*3"
    workbook.create_sheet("Empty")
    workbook.create_sheet("Notes")["A1"] = "n"


def test_an_xlsx_file_is_inspected_computed_and_published_with_the_end_of_its_job() -> None:
    loading = Loading(xlsx(two_sheets))
    session = loading.run()
    assert (session.state, session.version, session.source.format) == (SessionState.ACTIVE, 1, FileFormat.XLSX)
    assert [sheet.name for sheet in session.sheets] == ["Sales", "Empty", "Notes"]
    assert (session.inventory.mode, session.inventory.frozen) == ("computed", 0)
    assert session.source.sha256 is not None
    sales, notes = loading.result.first_blocks
    assert sales.rows[0] == ("region", 2)
    assert sales.rows[1][2] == {"value": 6, "formula": "=B1*3"}
    assert notes.rows == (("n",),)
    loading.world.health.refuse_unless_valid(session, Request.ASK)
    loading.world.check(session)


def test_the_steps_of_a_load_are_subtasks() -> None:
    loading = Loading(CSV)
    loading.run()
    found = loading.world.core.transcript(loading.job).subtasks
    assert {key: each.status for key, each in found.items()} == dict.fromkeys(
        ("inspect", "compute", "store"), "finished"
    )


def test_blocks_that_are_too_large_for_the_result_are_left_out() -> None:
    line = b",".join(b"%d" % number for number in range(60)) + b"\n"
    loading = Loading(line * 400)
    assert loading.run().state is SessionState.ACTIVE
    assert len(line) * 400 > MOST_FIRST_BYTES
    assert loading.result.first_blocks == ()


def test_a_file_that_is_no_workbook_fails_the_job_with_what_to_do() -> None:
    loading = Loading(b"%PDF-1.7")
    with pytest.raises(UnusableFile, match="PDF"):
        loading.world.core.run(loading.inspect, loading.job)
    assert loading.world.core.transcript(loading.job).subtasks["inspect"].status == "failed"
    loading.world.core.record_failure(loading.job, "UnusableFile")
    session = loading.world.now(loading.session)
    assert (session.state, session.errors[-1].action) == (SessionState.ERROR, "upload")


def test_a_file_of_another_size_than_announced_is_refused() -> None:
    loading = Loading(CSV, announced=len(CSV) + 1)
    with pytest.raises(UnusableFile, match="bytes, but"):
        loading.world.core.run(loading.inspect, loading.job)


def test_a_file_that_is_replaced_after_its_inspection_is_refused() -> None:
    loading = Loading(CSV)
    loading.world.core.run(loading.inspect, loading.job)
    loading.world.upload(loading.session, CSV.replace(b"80", b"81"))
    with pytest.raises(UnusableFile, match="replaced"):
        loading.world.core.run(loading.load, loading.job)


def test_a_file_that_is_gone_is_asked_for_again() -> None:
    loading = Loading(CSV)
    loading.world.core.run(loading.inspect, loading.job)
    loading.world.data.delete(loading.session.id)
    with pytest.raises(DataLost, match="Upload it again"):
        loading.world.core.run(loading.load, loading.job)


def test_a_load_whose_session_was_deleted_ends() -> None:
    loading = Loading(CSV)
    loading.world.store.delete(loading.session.id, purge_at=loading.world.clock())
    with pytest.raises(DataLost, match="deleted"):
        loading.world.core.run(loading.inspect, loading.job)


TOO_LARGE = WorkbookRefusal(SheetErrorCode.CALCULATION_TOO_LARGE, "the calculation needed more memory than there is")


@pytest.mark.parametrize(
    ("call", "raised", "error"),
    [
        ("ProcessEngine.load", EngineGone("no process"), StorageUnavailable),
        ("ProcessWorkbook.scan", EngineGone("ended"), StorageUnavailable),
        ("ProcessWorkbook.read", EngineGone("ended"), StorageUnavailable),
        ("ProcessWorkbook.scan", TOO_LARGE, UnusableFile),
        ("ProcessWorkbook.read", TOO_LARGE, UnusableFile),
    ],
)
def test_a_load_whose_engine_ends_says_whether_another_attempt_may_help(
    monkeypatch: pytest.MonkeyPatch, call: str, raised: Exception, error: type[MillraceError]
) -> None:
    loading = Loading(CSV)
    loading.world.core.run(loading.inspect, loading.job)

    def end(*_: Any) -> Any:
        raise raised

    monkeypatch.setattr(f"shared.apps.sheets.engine.process.{call}", end)
    with pytest.raises(error):
        loading.world.core.run(loading.load, loading.job)


class TestAnotherEngine:
    """The server was deployed with another version of the engine, which cannot read the snapshots of the one before."""

    @pytest.fixture
    def loading(self) -> Loading:
        loading = Loading(CSV)
        loading.run()
        loading.write("C1", value="double")
        loading.write("C2", formula="=B2*2")
        return loading

    def deploy(self, monkeypatch: pytest.MonkeyPatch, engine: str = "ironcalc-9.9.9") -> None:
        monkeypatch.setattr("shared.apps.sheets.engine.process.ENGINE", engine)

    def lose(self, loading: Loading) -> None:
        with pytest.raises(Conflict) as refused:
            loading.write("A1", value="x")
        assert refused.value.code is ErrorCode.DATA_UNREADABLE
        assert loading.world.now(loading.session).errors[-1].action == "recover"

    def test_the_file_is_loaded_and_its_changes_are_made_again(
        self, loading: Loading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = loading.read()
        self.deploy(monkeypatch)
        self.lose(loading)
        session = loading.recover()
        assert (session.state, session.version) == (SessionState.ACTIVE, 4)
        assert str(session.snapshot).startswith("ironcalc-9.9.9-")
        assert loading.read() == before
        made = loading.world.store.version(session.id, 4)
        assert made is not None
        assert (made.kind, made.title) == ("recover", "Recover version 3")
        loading.write("B2", value=7)
        assert loading.read()[1][2] == 14
        loading.world.check(session)

    def test_a_session_that_was_made_again_can_be_made_again_by_a_third_engine(
        self, loading: Loading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loading.edits.undo(OWNER, loading.session.id, expected=None)
        loading.edits.redo(OWNER, loading.session.id, expected=None)
        for engine in ("ironcalc-9.9.8", "ironcalc-9.9.9"):
            before = loading.read()
            self.deploy(monkeypatch, engine)
            self.lose(loading)
            loading.recover()
            assert loading.read() == before
            loading.write("D2", formula="=C2+1")
        assert loading.read()[1] == ["North", 120.5, 241, 242]

    def test_an_undone_change_is_not_made_again(self, loading: Loading, monkeypatch: pytest.MonkeyPatch) -> None:
        loading.edits.undo(OWNER, loading.session.id, expected=None)
        before = loading.read()
        self.deploy(monkeypatch)
        self.lose(loading)
        loading.recover()
        assert loading.read() == before
        assert before[1] == ["North", 120.5]

    def test_versions_of_the_engine_before_are_read_but_not_undone_to(
        self, loading: Loading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.deploy(monkeypatch)
        self.lose(loading)
        loading.recover()
        with pytest.raises(Conflict, match="another engine"):
            loading.edits.undo(OWNER, loading.session.id, expected=None)

    def test_it_is_refused_with_the_reason_if_not_all_changes_are_kept(
        self, loading: Loading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for row in range(1, 5):  # one edit of so much text would be refused
            loading.edits.edit(
                OWNER,
                loading.session.id,
                loading.world.now(loading.session).sheets[0].name,
                [CellWrite(at=f"{column}{row}", value="x" * 30_000) for column in "ABCD"],
                expected=None,
            )
        assert loading.world.store.version(loading.session.id, 7).ops is None  # type: ignore[union-attr]
        assert MOST_OP_BYTES < 4 * 30_000
        self.deploy(monkeypatch)
        self.lose(loading)
        with pytest.raises(Conflict, match="not all of its changes are kept") as refused:
            loading.recover()
        assert refused.value.code is ErrorCode.DATA_UNREADABLE
        session = loading.world.now(loading.session)
        assert (session.state, session.errors[-1].action) == (SessionState.ERROR, "load")
        loading.job = loading.work.load(OWNER, session.id, Origin())
        assert loading.run().state is SessionState.ACTIVE

    def test_another_upload_is_not_changed(self, loading: Loading, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deploy(monkeypatch)
        self.lose(loading)
        loading.world.upload(loading.session, CSV.replace(b"North", b"South"))
        loading.job = loading.work.recover(OWNER, loading.session.id, Origin())[1]  # type: ignore[assignment]
        with pytest.raises(UnusableFile, match="not the one that was changed"):
            loading.run()

    def test_a_repeated_recovery_returns_the_job_that_makes_the_changes_again(
        self, loading: Loading, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.deploy(monkeypatch)
        self.lose(loading)
        first, again = (loading.work.recover(OWNER, loading.session.id, Origin(), idempotency_key="a")[1] for _ in "12")
        assert first is not None
        assert again is not None
        assert (first.id, first.input) == (again.id, {"rebuild": True})

    def test_a_damaged_snapshot_is_made_again_too(self, loading: Loading) -> None:
        before, session = loading.read(), loading.world.now(loading.session)
        loading.world.data.objects[f"sheets/{session.id}/models/{session.snapshot}"] = b"damaged"
        self.lose(loading)
        assert loading.recover().version == 4
        assert loading.read() == before


def test_a_workbook_whose_structure_is_protected_says_so() -> None:
    def protected(workbook: openpyxl.Workbook) -> None:
        workbook.security = WorkbookProtection(lockStructure=True)

    session = Loading(xlsx(protected)).run()
    assert session.inventory.parts == {"structureProtections": 1}
    assert session.inventory.notes == (STRUCTURE_LOCKED,)
