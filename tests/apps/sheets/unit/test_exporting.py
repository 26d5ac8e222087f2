"""An export has the cells of its version: in the uploaded package, in a new one, or one sheet as CSV."""

from __future__ import annotations

import csv
import hashlib
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.formula import ArrayFormula
from pydantic import ValidationError

from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.engine.patch import patch
from shared.apps.sheets.export_jobs import ExportCreation
from shared.apps.sheets.exporting import Exported, Exports, csv_text
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.models import SheetExportInput
from shared.apps.sheets.moves import Request
from shared.apps.sheets.ops import (
    CellWrite,
    ChangeStructure,
    FillFormula,
    HideRows,
    Op,
    SetNumberFormat,
    WriteCells,
)
from shared.apps.sheets.publishing import Change, Publishing
from shared.apps.sheets.session import FileFormat, Inventory, Session, SessionState, Source, StateChanged, Version
from shared.apps.sheets.session_store import SessionChange
from shared.errors import Conflict, ErrorCode, InvalidInput, UnusableFile
from shared.jobs.job import Job
from tests.apps.sheets.engines import patient_engine
from tests.apps.sheets.session_world import SessionWorld
from tests.apps.sheets.versions_world import OWNER, SESSION
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.sessions import FakeSessionStore
from tests.fakes.workbook_data import FakeWorkbookData


class ExportWorld:
    """An active session over a file, with the real engine."""

    def __init__(self, folder: Path, file: Path) -> None:
        self.folder = folder
        self.sessions = FakeSessionStore()
        self.data = FakeWorkbookData()
        self.engine = patient_engine()
        self.publishing = Publishing(sessions=self.sessions, data=self.data, engine=self.engine, clock=SettableClock())
        self.exports = Exports(sessions=self.sessions, data=self.data, files=self.data, engine=self.engine, patch=patch)
        kind = FileFormat(file.suffix[1:])
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        source = Source(key=f"sheets/{SESSION}/source", name=file.name, bytes=1, format=kind, sha256=sha256)
        self.data.upload(source.key, file, content_type="")
        session = Session(
            id=SESSION,
            owner=OWNER,
            title="book",
            seq=1,
            source=source,
            inventory=Inventory(parts={"charts": 1}),
            created_at=NOON,
            updated_at=NOON,
        )
        self.sessions.save(SessionChange(None, session, (StateChanged(state=session.state),)))
        workbook, _ = self.engine.load(file, kind)
        try:
            self.sessions.save(self.publishing.load(session, workbook, title="Load").change_of(session))
        finally:
            workbook.close()

    @property
    def session(self) -> Session:
        found = self.sessions.get(SESSION)
        assert found is not None
        return found

    @property
    def version(self) -> Version:
        found = self.sessions.version(SESSION, self.session.version)
        assert found is not None
        return found

    def change(self, *ops: Op) -> None:
        workbook = self.publishing.open(self.session)
        applied = workbook.apply(ops)
        self.publishing.publish(self.session, workbook, applied, Change(ops, "user", "Change")).workbook.close()

    def xlsx(self) -> tuple[Path, Exported]:
        file = self.folder / "export.xlsx"
        file.unlink(missing_ok=True)
        return file, self.exports.write_xlsx(self.session, self.version, self.folder, file)

    def csv(self) -> list[list[str]]:
        file = self.folder / "export.csv"
        head = self.exports.map_of(self.version)
        self.exports.write_csv(self.session, head, head.sheets[0], file)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.reader(lines))


@pytest.fixture
def world(tmp_path: Path) -> ExportWorld:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Data"
    sheet.append(["Region", "Units", "Double"])
    for row in range(2, 6):
        sheet.append([f"R{row}", row, f"=B{row}*2"])
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=5))
    sheet.add_chart(chart, "H2")
    book.create_sheet("Other")["A1"] = "=Data!B2+1"
    file = tmp_path / "sales.xlsx"
    book.save(file)
    return ExportWorld(tmp_path, file)


def write(**cells: Any) -> WriteCells:
    return WriteCells(sheet="Data", cells=tuple(CellWrite(at=at, value=value) for at, value in cells.items()))


def test_an_export_without_a_change_is_the_uploaded_package(world: ExportWorld) -> None:
    file, exported = world.xlsx()
    with zipfile.ZipFile(file) as new, zipfile.ZipFile(world.folder / "sales.xlsx") as old:
        assert {name: new.read(name) for name in new.namelist()} == {name: old.read(name) for name in old.namelist()}
    assert exported.losses == ()


@pytest.mark.parametrize("replaced", [True, False])
def test_an_export_without_the_loaded_file_is_a_new_package(world: ExportWorld, replaced: bool) -> None:
    """The upload URL takes another file for some minutes after the load."""
    world.change(write(B2=10))
    key = world.session.source.key
    if replaced:
        other = openpyxl.Workbook()
        other.worksheets[0].title = "Data"
        other.save(world.folder / "other.xlsx")
        world.data.upload(key, world.folder / "other.xlsx", content_type="")
    else:
        del world.data.objects[key]
    file, exported = world.xlsx()
    assert exported.losses == ("charts: 1",)
    sheet: Any = openpyxl.load_workbook(file)["Data"]
    assert [sheet[at].value for at in ("A3", "B2", "C2")] == ["R3", 10, "=B2*2"]


@pytest.mark.parametrize("is_new", [True, False])
def test_characters_that_xml_cannot_have_are_exported_as_escapes(world: ExportWorld, is_new: bool) -> None:
    world.change(write(A2="a\x00b\x01\ufffe"))
    if is_new:
        del world.data.objects[world.session.source.key]
    file, _ = world.xlsx()
    sheet: Any = openpyxl.load_workbook(file)["Data"]
    assert sheet["A2"].value == "a_x0000_b_x0001__xFFFE_"


def test_an_export_keeps_the_charts_and_renews_what_was_computed_on_every_sheet(world: ExportWorld) -> None:
    world.change(write(B2=10), FillFormula(sheet="Data", range="D2:D5", formula="=B2+C2"))
    file, exported = world.xlsx()
    assert exported.losses == ()
    formulas: Any = openpyxl.load_workbook(file)
    values: Any = openpyxl.load_workbook(file, data_only=True)
    assert len(formulas["Data"]._charts) == 1
    assert [formulas["Data"][f"D{row}"].value for row in (2, 5)] == ["=B2+C2", "=B5+C5"]
    assert [values["Data"][f"D{row}"].value for row in (2, 5)] == [30, 15]
    assert (formulas["Data"]["C2"].value, values["Data"]["C2"].value) == ("=B2*2", 20)
    assert (formulas["Other"]["A1"].value, values["Other"]["A1"].value) == ("=Data!B2+1", 11)


@pytest.fixture
def arrays(tmp_path: Path) -> ExportWorld:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Data"
    for row in range(1, 4):
        sheet.append([row])
    sheet["B1"] = ArrayFormula("B1:B3", "=A1:A3*2")
    file = tmp_path / "arrays.xlsx"
    book.save(file)
    return ExportWorld(tmp_path, file)


def test_an_export_keeps_array_formulas_and_renews_their_values(arrays: ExportWorld) -> None:
    arrays.change(write(A2=10), FillFormula(sheet="Data", range="D1", formula="=A1:A2+1"))
    file, exported = arrays.xlsx()
    assert exported.losses == ()
    formulas: Any = openpyxl.load_workbook(file)["Data"]
    values: Any = openpyxl.load_workbook(file, data_only=True)["Data"]
    assert [(formulas[at].value.ref, formulas[at].value.text) for at in ("B1", "D1")] == [
        ("B1:B3", "=A1:A3*2"),
        ("D1:D2", "=A1:A2+1"),
    ]
    assert values["B2"].value == 20
    assert [values[f"D{row}"].value for row in (1, 2)] == [2, 11]


def test_an_export_of_a_version_without_a_snapshot_says_what_it_does_not_know(arrays: ExportWorld) -> None:
    arrays.change(write(A2=10))
    del arrays.data.objects[f"sheets/{SESSION}/models/{arrays.version.snapshot}"]
    file, exported = arrays.xlsx()
    assert ["array formula in B1" in loss for loss in exported.losses] == [True]
    assert openpyxl.load_workbook(file)["Data"]["B1"].value.ref == "B1:B3"


def test_an_export_has_number_formats_and_hidden_rows(world: ExportWorld) -> None:
    world.change(
        SetNumberFormat(sheet="Data", range="B2:B3", format='0.00" kg"'),
        HideRows(sheet="Data", rows=((3, 4),)),
    )
    file, _ = world.xlsx()
    sheet: Any = openpyxl.load_workbook(file)["Data"]
    assert [sheet[f"B{row}"].number_format for row in (2, 3, 4)] == ['0.00" kg"', '0.00" kg"', "General"]
    assert [sheet.row_dimensions[row].hidden for row in (2, 3, 4, 5)] == [False, True, True, False]
    assert sheet["B2"].value == 2


def test_a_workbook_with_inserted_rows_is_written_again_and_names_what_is_lost(world: ExportWorld) -> None:
    world.change(ChangeStructure(sheet="Data", action="insert_rows", at=2, count=1), write(B2=7))
    file, exported = world.xlsx()
    assert exported.losses == ("charts: 1",)
    sheet: Any = openpyxl.load_workbook(file)["Data"]
    assert [sheet[f"B{row}"].value for row in (2, 3)] == [7, 2]
    assert sheet["C3"].value == "=B3*2"


def test_a_csv_file_is_exported_as_a_workbook_and_as_csv(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("a,b\n=1+1,00123\n-5,x\n")
    world = ExportWorld(tmp_path, file)
    xlsx, _ = world.xlsx()
    sheet: Any = openpyxl.load_workbook(xlsx).worksheets[0]
    assert [[cell.value for cell in row] for row in sheet["A1:B3"]][1][1] == "00123"
    assert world.csv() == [["a", "b"], ["'=1+1", "00123"], ["-5", "x"]]


def test_a_csv_export_has_rows_of_the_same_length(world: ExportWorld) -> None:
    world.change(write(E3="far"))
    rows = world.csv()
    assert {len(row) for row in rows} == {5}
    assert rows[2] == ["R3", "3", "6", "", "far"]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_would_be_computed_is_guarded_in_csv(first: str) -> None:
    assert csv_text(CellContent(f"{first}cmd|' /C calc'!A0")).startswith(f"'{first}")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (CellContent(), ""),
        (CellContent(-5), "-5"),
        (CellContent(0.1), "0.1"),
        (CellContent(True), "TRUE"),
        (CellContent(46112, text="31.03.2026", iso="2026-03-31"), "2026-03-31"),
        (CellContent("#REF!", error=True), "#REF!"),
        (CellContent("it's", formula="=A1"), "it's"),
    ],
)
def test_every_other_cell_is_its_plain_value_in_csv(cell: CellContent, text: str) -> None:
    assert csv_text(cell) == text


def creation(world: ExportWorld) -> ExportCreation:
    health = SessionHealth(sessions=world.sessions, data=world.data, clock=SettableClock())
    health.refuse_unless_valid(world.session, Request.EXPORT)
    jobs = SessionWorld().core.job_creation
    return ExportCreation(sessions=world.sessions, exports=world.exports, health=health, jobs=jobs)


def create(exports: ExportCreation, **wanted: Any) -> Job:
    wants = SheetExportInput.model_validate(wanted)
    return exports.create(OWNER, SESSION, wants, trace_id=None, request_id=None, idempotency_key=None)


def test_an_export_whose_newest_version_is_gone_moves_the_session_to_error(world: ExportWorld) -> None:
    """The data was there when it was checked last, less than a minute ago."""
    exports = creation(world)
    world.data.delete(SESSION)
    with pytest.raises(Conflict, match="recover the session") as gone:
        create(exports)
    assert (gone.value.code, world.session.state) == (ErrorCode.DATA_GONE, SessionState.ERROR)


def test_a_sheet_with_a_value_in_its_last_cell_is_refused_as_csv(world: ExportWorld) -> None:
    world.change(write(XFD1048576="far"))
    with pytest.raises(InvalidInput, match="reaches to XFD1048576, which are 17,179,869,184 cells") as refused:
        create(creation(world), format="csv", sheet="Data")
    assert [issue.field for issue in refused.value.issues] == ["sheet"]
    with pytest.raises(UnusableFile, match="export it as XLSX"):
        world.csv()
    file, _ = world.xlsx()
    sheet: Any = openpyxl.load_workbook(file)["Data"]
    assert sheet["XFD1048576"].value == "far"


@pytest.mark.parametrize(
    "version", [0, 10**9, 10**1200, True, "1", 1.5], ids=["zero", "10 digits", "1201 digits", "boolean", "text", "part"]
)
def test_a_version_to_export_is_a_number_that_a_key_can_have(version: Any) -> None:
    with pytest.raises(ValidationError, match="version"):
        SheetExportInput.model_validate({"version": version})
