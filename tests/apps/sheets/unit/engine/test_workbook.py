"""A workbook in the engine's process: it is loaded, read, changed, scanned and opened again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ironcalc
import pytest

from shared.apps.sheets.addresses import Cell, parse_area
from shared.apps.sheets.blocks import decode_block
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.engine.process import ProcessWorkbook
from shared.apps.sheets.engine.version import ENGINE
from shared.apps.sheets.ops import CellWrite, ChangeStructure, FillFormula, ManageSheet, ReorderRows, WriteCells
from shared.apps.sheets.workbook import DefinedName, SheetErrorCode, SnapshotUnreadable, WorkbookRefusal
from tests.apps.sheets.engines import patient_engine
from tests.apps.sheets.unit.engine import packages

CSV = "region,when,units,price,code\nNorth,2024-01-05,3,1.5,00123\nSouth,2024-02-06,4,2.5,00456\n"


@pytest.fixture
def workbook(tmp_path: Path) -> Iterator[ProcessWorkbook]:
    file = tmp_path / "sales.csv"
    file.write_text(CSV)
    workbook, _ = patient_engine().load(file, "csv")
    yield workbook
    workbook.close()


def cells(workbook: ProcessWorkbook, area: str, sheet: str = "Sheet1") -> list[list[CellContent]]:
    return [list(row) for row in workbook.read(sheet, parse_area(area))]


def shown(workbook: ProcessWorkbook, area: str, sheet: str = "Sheet1") -> list[list[object]]:
    return [[cell.formula or cell.iso or cell.value for cell in row] for row in cells(workbook, area, sheet)]


def write(at: str, value: str | float | bool | None = None, formula: str | None = None) -> WriteCells:
    return WriteCells(sheet="Sheet1", cells=(CellWrite(at=at, value=value, formula=formula),))


def test_the_version_is_that_of_the_installed_engine() -> None:
    assert f"ironcalc-{ironcalc.__version__}" == ENGINE == patient_engine().version


def test_a_csv_file_has_typed_cells(workbook: ProcessWorkbook) -> None:
    assert cells(workbook, "A2:E2") == [
        [
            CellContent("North"),
            CellContent(45296, text="2024-01-05", iso="2024-01-05"),
            CellContent(3),
            CellContent(1.5),
            CellContent("00123"),
        ]
    ]
    assert [(info.name, info.rows, info.columns) for info in workbook.sheets] == [("Sheet1", 3, 5)]


def test_a_filled_formula_moves_its_references_and_is_computed(workbook: ProcessWorkbook) -> None:
    applied = workbook.apply([FillFormula(sheet="Sheet1", range="F2:F3", formula="=C2*$D$2")])

    assert shown(workbook, "F2:F3") == [["=C2*$D$2"], ["=C3*$D$2"]]
    assert [row[0].value for row in cells(workbook, "F2:F3")] == [4.5, 6]
    assert [(each.range, each.cells) for each in applied.changed] == [("F2:F3", 2)]
    assert (applied.written, applied.recalculated, applied.errors) == (2, 0, 0)


def test_what_depends_on_a_change_is_reported(workbook: ProcessWorkbook) -> None:
    workbook.apply([write("F2", formula="=C2*2"), write("F3", formula="=1/(C2-3)+1")])

    applied = workbook.apply([write("C2", 5)])

    assert [(each.range, each.cells) for each in applied.changed] == [("C2", 1), ("F2:F3", 2)]
    assert [str(each.cell) for each in applied.preview] == ["C2", "F2", "F3"]
    back = workbook.apply([write("C2", 3)])
    assert [(str(each.cell), each.content.value) for each in back.errors_introduced] == [("F3", "#DIV/0!")]


def test_a_refused_change_leaves_the_workbook_as_it_was(workbook: ProcessWorkbook) -> None:
    before = workbook.scan(frozenset()).digests

    with pytest.raises(WorkbookRefusal) as refused:
        workbook.apply([write("A1", "changed"), write("B2", formula="=B2+1")])

    assert refused.value.code == SheetErrorCode.CIRCULAR
    assert workbook.scan(frozenset()).digests == before


def test_a_snapshot_is_the_same_workbook(workbook: ProcessWorkbook) -> None:
    workbook.apply([write("F1", formula="=MAX(C:C)")])
    before = workbook.scan(frozenset())

    opened = patient_engine().open(workbook.snapshot())

    assert opened.sheets == workbook.sheets
    after = opened.scan(frozenset(before.new))
    assert after.digests == before.digests
    assert after.new == {}
    opened.close()


def test_a_scan_has_the_blocks_that_the_caller_does_not_have(workbook: ProcessWorkbook) -> None:
    first = workbook.scan(frozenset())
    workbook.apply([write("A600", "below")])

    second = workbook.scan(frozenset(first.new))

    [sheet] = second.digests.values()
    assert set(sheet) == {(1, 1), (513, 1)}
    assert next(decode_block(stored) for stored in second.new.values() if len(decode_block(stored)) == 88)[87] == [
        CellContent("below")
    ]


def test_bytes_that_are_no_snapshot_are_unreadable() -> None:
    with pytest.raises(SnapshotUnreadable):
        patient_engine().open(b"something else")


def test_texts_stay_texts_when_rows_are_inserted(workbook: ProcessWorkbook) -> None:
    workbook.apply([write("A2", "=1+1"), write("F2", formula="=C2+C3")])

    workbook.apply([ChangeStructure(sheet="Sheet1", action="insert_rows", at=2, count=1)])

    assert shown(workbook, "A3:F3") == [["=1+1", "2024-01-05", 3, 1.5, "00123", "=C3+C4"]]
    assert cells(workbook, "A3:A3")[0][0] == CellContent("=1+1")


def test_rows_move_with_their_formulas(workbook: ProcessWorkbook) -> None:
    workbook.apply([FillFormula(sheet="Sheet1", range="F2:F3", formula="=C2*D2")])

    workbook.apply([ReorderRows(sheet="Sheet1", range="A2:F3", order=(1, 0))])

    assert shown(workbook, "A2:F3") == [
        ["South", "2024-02-06", 4, 2.5, "00456", "=C2*D2"],
        ["North", "2024-01-05", 3, 1.5, "00123", "=C3*D3"],
    ]


def test_a_sheet_keeps_its_id_when_it_is_renamed(workbook: ProcessWorkbook) -> None:
    workbook.apply([ManageSheet(action="duplicate", sheet="Sheet1", new_name="Copy")])
    workbook.apply([ManageSheet(action="rename", sheet="Sheet1", new_name="Sales 2024")])
    workbook.apply([ManageSheet(action="delete", sheet="Copy")])
    workbook.apply([ManageSheet(action="add", sheet="New")])

    assert [(info.id, info.name) for info in workbook.sheets] == [(1, "Sales 2024"), (3, "New")]


def test_a_query_reads_the_sheets_by_their_header_rows(workbook: ProcessWorkbook) -> None:
    table = workbook.query("SELECT region, units * price AS total, _row FROM Sheet1 ORDER BY total DESC", limit=1)

    assert (table.columns, table.rows, table.truncated) == (("region", "total", "_row"), (("South", 10.0, 3),), True)


@pytest.fixture
def arrays(tmp_path: Path) -> Iterator[ProcessWorkbook]:
    """A workbook in which an array formula of the old kind fills C1:C2, and one of the new kind D1:E2."""
    rows = (
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c>'
        '<c r="C1"><f t="array" ref="C1:C2">A1:A2*2</f><v>2</v></c>'
        '<c r="D1" cm="1"><f t="array" ref="D1:E2">A1:B2+1</f><v>2</v></c></row>'
        '<row r="2"><c r="A2"><v>3</v></c><c r="B2"><v>4</v></c><c r="C2"><v>6</v></c></row>'
    )
    workbook, _ = patient_engine().load(packages.write(tmp_path / "a.xlsx", packages.parts({"Sheet1": rows})), "xlsx")
    yield workbook
    workbook.close()


def test_a_formula_says_which_area_it_fills(arrays: ProcessWorkbook) -> None:
    corners = [Cell(1, 1), Cell(1, 3), Cell(1, 4), Cell(9, 9)]
    assert list(map(str, arrays.filled("Sheet1", corners))) == ["A1", "C1:C2", "D1:E2", "I9"]


@pytest.mark.parametrize("change", [write("C2", 5), write("C2", formula="=A1")])
def test_a_part_of_an_array_cannot_be_changed_alone(arrays: ProcessWorkbook, change: WriteCells) -> None:
    with pytest.raises(WorkbookRefusal, match="C2 cannot be changed alone") as refused:
        arrays.apply([change])

    assert refused.value.code == SheetErrorCode.CONFLICT
    assert shown(arrays, "C1:C2") == [["=A1:A2*2"], [6]]


def test_an_array_gives_way_when_its_first_cell_is_changed_or_it_spills(arrays: ProcessWorkbook) -> None:
    arrays.apply([write("C1", 5)])
    arrays.apply([write("C2", 7), write("E1", "mine")])

    assert shown(arrays, "C1:E2") == [[5, "=A1:B2+1", "mine"], [7, None, None]]
    assert list(map(str, arrays.filled("Sheet1", [Cell(1, 4)]))) == ["D1"]


def test_names_and_protection_are_those_of_the_file_and_survive_a_snapshot(tmp_path: Path) -> None:
    protected = packages.sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>', after='<sheetProtection sheet="1"/>')
    names = (
        '<definedNames><definedName name="Rate">Data!$A$1</definedName><definedName name="Own" localSheetId="1">'
        'Other!$A$1</definedName><definedName name="_xlnm.Print_Area" localSheetId="0">Data!$A$1</definedName>'
        "</definedNames>"
    )
    content = packages.parts({"Data": protected, "Other": ""}, names=names)
    workbook, _ = patient_engine().load(packages.write(tmp_path / "b.xlsx", content), "xlsx")
    again = patient_engine().open(workbook.snapshot())

    for each in (workbook, again):
        assert [(info.name, info.protected) for info in each.sheets] == [("Data", True), ("Other", False)]
        assert list(each.names) == [DefinedName("Rate", "Data!$A$1"), DefinedName("Own", "Other!$A$1", "Other")]
        each.close()
