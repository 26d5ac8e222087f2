"""An exported package is the uploaded one, in which only the rows with changed cells differ."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table, TableFormula

from shared.apps.sheets.addresses import Area, Cell, parse_area, parse_cell
from shared.apps.sheets.cells import EMPTY, CellContent
from shared.apps.sheets.engine.cell_xml import in_file
from shared.apps.sheets.engine.patch import CellPatch, SheetPatch, patch
from tests.apps.sheets.unit.engine.packages import parts, sheet_xml, write

SHEET = "xl/worksheets/sheet1.xml"


def changed(cells: Mapping[str, Any], *, rest: Mapping[str, CellContent] | None = None, **fields: Any) -> SheetPatch:
    """Return the patch of these cells: plain values, contents or whole patches, by address."""
    found: dict[int, dict[int, CellPatch]] = {}
    for at, value in cells.items():
        content = value if isinstance(value, CellContent) else CellContent(value)
        cell = parse_cell(at)
        found.setdefault(cell.row, {})[cell.column] = value if isinstance(value, CellPatch) else CellPatch(content)
    others = {(parse_cell(at).row, parse_cell(at).column): content for at, content in (rest or {}).items()}
    return SheetPatch(found, lambda row, column: others.get((row, column), EMPTY), **fields)


def patched(folder: Path, source: Path, sheets: Mapping[str, SheetPatch]) -> Path:
    target = folder / "patched.xlsx"
    patch(source, target, sheets)
    return target


def xml_of(file: Path, part: str = SHEET) -> str:
    with zipfile.ZipFile(file) as archive:
        return archive.read(part).decode()


def by_hand(folder: Path, rows: str, **fields: Any) -> Path:
    return write(folder / "by hand.xlsx", parts({"Data": rows}, **fields))


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A workbook with everything that an engine's own writer would lose."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Données"
    sheet.append(["Region", "Units", "Price"])
    for number in range(2, 12):
        sheet.append([f"R{number}", number, f"=B{number}*2"])
    sheet["A1"].font = Font(bold=True)
    sheet["A3"].comment = Comment("look", "ada")
    sheet["F1"] = date(2026, 3, 31)
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=11))
    sheet.add_chart(chart, "H2")
    validation = DataValidation(type="list", formula1='"a,b"')
    validation.add("D2:D9")
    sheet.add_data_validation(validation)
    sheet.add_table(Table(displayName="T", ref="A1:C11"))
    book.create_sheet("Other")["A1"] = "untouched"
    file = tmp_path / "rich.xlsx"
    book.save(file)
    return file


def test_every_part_but_the_changed_sheet_and_the_calculation_is_the_same_byte_for_byte(
    tmp_path: Path, rich: Path
) -> None:
    target = patched(tmp_path, rich, {"Données": changed({"B3": 99, "E20": "new"})})
    with zipfile.ZipFile(rich) as old, zipfile.ZipFile(target) as new:
        assert new.testzip() is None
        assert new.namelist() == old.namelist()
        differing = {name for name in old.namelist() if old.read(name) != new.read(name)}
    assert differing == {SHEET, "xl/workbook.xml"}
    book = openpyxl.load_workbook(target)
    sheet: Any = book["Données"]
    assert (sheet["B3"].value, sheet["E20"].value, sheet["B4"].value) == (99, "new", 4)
    assert sheet["A3"].comment is not None
    assert sheet["A1"].font.bold
    assert len(sheet._charts) == 1
    assert sheet.tables["T"].ref == "A1:C11"
    assert book.calculation.fullCalcOnLoad
    assert python_calamine.load_workbook(str(target)).get_sheet_by_name("Données").to_python()[19][4] == "new"


def test_without_a_change_the_whole_package_is_the_same(tmp_path: Path, rich: Path) -> None:
    target = patched(tmp_path, rich, {})
    with zipfile.ZipFile(rich) as old, zipfile.ZipFile(target) as new:
        assert [(each, old.read(each)) for each in old.namelist()] == [
            (each, new.read(each)) for each in new.namelist()
        ]


def test_only_the_changed_rows_are_rewrite(tmp_path: Path, rich: Path) -> None:
    rows = re.compile(r"<row\b.*?</row>", re.DOTALL)
    old, new = (rows.findall(xml_of(file)) for file in (rich, patched(tmp_path, rich, {"Données": changed({"B3": 1})})))
    assert [number for number, (a, b) in enumerate(zip(old, new, strict=True), start=1) if a != b] == [3]


def test_a_changed_sheet_in_utf_16_is_written_in_utf_8(tmp_path: Path) -> None:
    content: dict[str, str | bytes] = dict(
        parts({"Data": '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c></row>'})
    )
    content[SHEET] = str(content[SHEET]).replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
    source = write(tmp_path / "wide.xlsx", content)
    file = patched(tmp_path, source, {"Data": changed({"A1": "Größe"})})
    sheet = openpyxl.load_workbook(file)["Data"]
    assert [sheet["A1"].value, sheet["B1"].value] == ["Größe", 2]


def test_a_row_that_does_not_exist_is_written_in_its_place(tmp_path: Path) -> None:
    source = by_hand(
        tmp_path, '<row r="2"><c r="B2"><v>1</v></c></row><row r="5" ht="30" spans="2:2"><c r="B5"><v>2</v></c></row>'
    )
    target = patched(tmp_path, source, {"Data": changed({"A1": 1, "C3": 2, "A5": 3, "D5": 4, "B9": 5})})
    assert re.findall(r'<row r="(\d+)"', xml_of(target)) == ["1", "2", "3", "5", "9"]
    assert re.findall(r'<c r="(\w+)"', xml_of(target)) == ["A1", "B2", "C3", "A5", "B5", "D5", "B9"]
    assert '<row r="5" ht="30">' in xml_of(target)


@pytest.mark.parametrize("data", ["<sheetData/>", "<sheetData />", "<sheetData></sheetData>"])
def test_a_sheet_without_rows_gets_some(tmp_path: Path, data: str) -> None:
    sheet = sheet_xml("").replace("<sheetData></sheetData>", data)
    target = patched(tmp_path, by_hand(tmp_path, sheet), {"Data": changed({"B2": "x"})})
    assert openpyxl.load_workbook(target)["Data"]["B2"].value == "x"


def test_a_style_stays_when_its_cell_is_changed_or_cleared(tmp_path: Path) -> None:
    source = by_hand(
        tmp_path, '<row r="1"><c r="A1" s="1"><v>46000</v></c><c r="B1" s="3"><v>1</v></c><c r="C1"><v>1</v></c></row>'
    )
    target = patched(tmp_path, source, {"Data": changed({"A1": "text", "B1": None, "C1": None})})
    assert '<c r="A1" s="1" t="inlineStr">' in xml_of(target)
    assert '<c r="B1" s="3"/>' in xml_of(target)
    assert 'r="C1"' not in xml_of(target)


def test_a_result_is_renewed_and_its_formula_kept_as_it_was_write(tmp_path: Path) -> None:
    source = by_hand(
        tmp_path, '<row r="1"><c r="A1"><f ca="1">_xlfn.CONCAT(B1)</f><v>1</v></c><c r="B1"><v>1</v></c></row>'
    )
    result = CellPatch(CellContent("x", formula="=CONCAT(B1)"), computed=True)
    target = patched(tmp_path, source, {"Data": changed({"A1": result, "B1": "x"})})
    assert '<c r="A1" t="str"><f ca="1">_xlfn.CONCAT(B1)</f><v>x</v></c>' in xml_of(target)


SHARED = """<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f t="shared" ref="B1:B3" si="0">A1*2</f><v>2</v></c></row>
<row r="2"><c r="A2"><v>2</v></c><c r="B2"><f t="shared" si="0"/><v>4</v></c></row>
<row r="3"><c r="A3"><v>3</v></c><c r="B3"><f t="shared" si="0"/><v>6</v></c></row>"""


def test_a_shared_formula_that_loses_its_first_cell_is_written_out_cell_by_cell(tmp_path: Path) -> None:
    rest = {f"B{row}": CellContent(row * 2, formula=f"=A{row}*2") for row in (1, 2, 3)}
    target = patched(tmp_path, by_hand(tmp_path, SHARED), {"Data": changed({"B1": 7}, rest=rest)})
    sheet = openpyxl.load_workbook(target)["Data"]
    assert [sheet[f"B{row}"].value for row in (1, 2, 3)] == [7, "=A2*2", "=A3*2"]
    assert "shared" not in xml_of(target)


def test_a_shared_formula_keeps_its_group_when_another_cell_is_changed(tmp_path: Path) -> None:
    results = {"A1": 5, "B1": CellPatch(CellContent(10, formula="=A1*2"), computed=True), "B3": "text"}
    target = patched(tmp_path, by_hand(tmp_path, SHARED), {"Data": changed(results)})
    assert '<f t="shared" ref="B1:B3" si="0">A1*2</f><v>10</v>' in xml_of(target)
    assert '<c r="B2"><f t="shared" si="0"/><v>4</v></c>' in xml_of(target)


ARRAY = (
    '<row r="1"><c r="B1" cm="1"><f t="array" ref="B1:B2">A1:A2*2</f><v>2</v></c></row>'
    '<row r="2"><c r="B2"><v>4</v></c></row>'
)
FORMULA = "=A1:A2*2"


def fills(area: str) -> Callable[[Sequence[Cell]], Sequence[Area]]:
    return lambda cells: [parse_area(area) for _ in cells]


def test_an_array_formula_stays_one_when_its_values_are_renewed(tmp_path: Path) -> None:
    renewed = CellPatch(CellContent(6, formula=FORMULA), computed=True)
    target = patched(
        tmp_path, by_hand(tmp_path, ARRAY), {"Data": changed({"B1": renewed, "B2": 8}, filled=fills("B1:B2"))}
    )
    assert '<c r="B1" cm="1"><f t="array" ref="B1:B2">A1:A2*2</f><v>6</v></c>' in xml_of(target)
    assert '<c r="B2"><v>8</v></c>' in xml_of(target)
    assert openpyxl.load_workbook(target)["Data"]["B1"].value.ref == "B1:B2"


@pytest.mark.parametrize(("area", "cells"), [("B1:B3", {"B3": 6}), ("B1", {"B2": "mine"}), ("B1:C2", {"C1": 1})])
def test_an_array_formula_has_the_area_that_it_fills_now(tmp_path: Path, area: str, cells: Any) -> None:
    patch_of = changed(cells, rest={"B1": CellContent(2, formula=FORMULA)}, filled=fills(area))
    target = patched(tmp_path, by_hand(tmp_path, ARRAY), {"Data": patch_of})
    assert f'<c r="B1" cm="1"><f t="array" ref="{area}">A1:A2*2</f><v>2</v></c>' in xml_of(target)


def test_an_array_formula_that_was_overwritten_is_gone(tmp_path: Path) -> None:
    target = patched(
        tmp_path, by_hand(tmp_path, ARRAY), {"Data": changed({"B1": CellContent(1, formula="=A1")}, filled=fills("B1"))}
    )
    assert '<c r="B1"><f>A1</f><v>1</v></c>' in xml_of(target)


def test_a_new_formula_that_fills_other_cells_is_an_array_formula(tmp_path: Path) -> None:
    new = CellContent(2, formula="=B1:B2*2")
    target = patched(tmp_path, by_hand(tmp_path, ""), {"Data": changed({"C1": new, "C2": 4}, filled=fills("C1:C2"))})
    assert '<c r="C1"><f t="array" ref="C1:C2">B1:B2*2</f><v>2</v></c>' in xml_of(target)


def test_the_export_says_which_array_formulas_it_knows_no_more_of(tmp_path: Path) -> None:
    frozen = {"B1": CellContent(2, formula=FORMULA, frozen=True)}
    source, target = by_hand(tmp_path, ARRAY), tmp_path / "patched.xlsx"

    (unknown,) = patch(source, target, {"Data": changed({"B2": 5}, rest={"B1": CellContent(2, formula=FORMULA)})})
    assert "array formula in B1" in unknown
    assert 'ref="B1:B2"' in xml_of(target)

    (alone,) = patch(source, target, {"Data": changed({"B2": 5}, rest=frozen)})
    assert "array formula in B1:B2: it fills B1 only" in alone
    assert 'ref="B1"' in xml_of(target)


def test_an_error_that_files_do_not_have_is_written_as_one_that_they_have(tmp_path: Path) -> None:
    error = CellContent("#SPILL!", formula="=A1", error=True)
    target = patched(tmp_path, by_hand(tmp_path, ""), {"Data": changed({"B1": error})})
    assert '<c r="B1" t="e"><f>A1</f><v>#VALUE!</v></c>' in xml_of(target)


@pytest.fixture
def tabular(tmp_path: Path) -> Path:
    """A workbook with a table whose columns are named in formulas of two sheets and in a defined name."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Data"
    for row in (["Region", "Units", "a [b]"], ["R1", 2, 3], ["R2", 4, 5]):
        sheet.append(row)
    sheet["E1"] = "=SUM(Sales[Units])"
    table: Any = Table(displayName="Sales", ref="A1:C3")
    table._initialise_columns()
    for column, header in zip(table.tableColumns, ("Region", "Units", "a [b]"), strict=True):
        column.name = header
    table.tableColumns[2].calculatedColumnFormula = TableFormula(attr_text="Sales[[#This Row],[Units]]+1")
    sheet.add_table(table)
    book.create_sheet("Other")["A1"] = "=SUM(Sales[[#All],[a '[b']]])&\"Sales[Units]\""
    book.create_sheet("Third")["A1"] = 1
    book.defined_names["all_units"] = DefinedName("all_units", attr_text="Sales[Units]")
    file = tmp_path / "table.xlsx"
    book.save(file)
    return file


def test_the_columns_of_a_table_are_named_as_its_headers(tmp_path: Path, tabular: Path) -> None:
    target = tmp_path / "patched.xlsx"
    losses = patch(tabular, target, {"Data": changed({"B1": "Sold & paid", "C1": "x#"})})

    assert losses == ()
    book: Any = openpyxl.load_workbook(target)
    table = book["Data"].tables["Sales"]
    assert [column.name for column in table.tableColumns] == ["Region", "Sold & paid", "x#"]
    assert [cell.value for cell in book["Data"][1][:3]] == ["Region", "Sold & paid", "x#"]
    assert book["Data"]["E1"].value == "=SUM(Sales[Sold & paid])"
    assert book["Other"]["A1"].value == '=SUM(Sales[[#All],[x\'#]])&"Sales[Units]"'
    assert book.defined_names["all_units"].attr_text == "Sales[Sold & paid]"
    assert "Sales[[#This Row],[Sold &amp; paid]]+1" in xml_of(target, "xl/tables/table1.xml")
    with zipfile.ZipFile(tabular) as old, zipfile.ZipFile(target) as new:
        assert old.read("xl/worksheets/sheet3.xml") == new.read("xl/worksheets/sheet3.xml")


def test_headers_are_different_texts_and_the_export_says_so(tmp_path: Path, tabular: Path) -> None:
    target = tmp_path / "patched.xlsx"
    losses = patch(tabular, target, {"Data": changed({"A1": None, "B1": 7, "C1": "COLUMN1"})})

    sheet: Any = openpyxl.load_workbook(target)["Data"]
    names = ["Column1", "7", "COLUMN12"]
    assert [column.name for column in sheet.tables["Sales"].tableColumns] == names
    assert [cell.value for cell in sheet[1][:3]] == names
    assert [loss.partition(":")[0] for loss in losses] == [
        f"header {at} of the table Sales" for at in ("A1", "B1", "C1")
    ]


def test_cells_below_the_headers_leave_the_table_as_it_is(tmp_path: Path, tabular: Path) -> None:
    target = patched(tmp_path, tabular, {"Data": changed({"B2": 9})})
    assert xml_of(target, "xl/tables/table1.xml") == xml_of(tabular, "xl/tables/table1.xml")


def test_the_calculation_chain_is_left_out_with_its_references(tmp_path: Path) -> None:
    package = parts({"Data": '<row r="1"><c r="A1"><f>1</f><v>1</v></c></row>'})
    package["xl/calcChain.xml"] = '<calcChain xmlns="x"><c r="A1" i="1"/></calcChain>'
    package["[Content_Types].xml"] = package["[Content_Types].xml"].replace(
        "</Types>", '<Override PartName="/xl/calcChain.xml" ContentType="x/calcChain+xml"/></Types>'
    )
    package["xl/_rels/workbook.xml.rels"] = package["xl/_rels/workbook.xml.rels"].replace(
        "</Relationships>",
        '<Relationship Id="rId99" Type="http://x/calcChain" Target="calcChain.xml"/></Relationships>',
    )
    target = patched(tmp_path, write(tmp_path / "chain.xlsx", package), {"Data": changed({"A1": 2})})
    with zipfile.ZipFile(target) as archive:
        assert not [name for name in archive.namelist() if b"calcChain" in archive.read(name) or "calcChain" in name]
    assert openpyxl.load_workbook(target)["Data"]["A1"].value == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '<calcPr fullCalcOnLoad="1"/>'),
        ('<calcPr calcId="191029"/>', '<calcPr calcId="191029" fullCalcOnLoad="1"/>'),
        (
            '<definedNames><definedName name="n">1</definedName></definedNames>',
            '</definedNames><calcPr fullCalcOnLoad="1"/>',
        ),
    ],
)
def test_the_program_that_opens_the_file_computes_it(tmp_path: Path, before: str, after: str) -> None:
    package = parts({"Data": "<row r='1'/>".replace("'", '"')})
    package["xl/workbook.xml"] = package["xl/workbook.xml"].replace("</sheets>", "</sheets>" + before)
    target = patched(tmp_path, write(tmp_path / "b.xlsx", package), {"Data": changed({"A1": 2})})
    assert after in xml_of(target, "xl/workbook.xml")
    assert openpyxl.load_workbook(target)["Data"]["A1"].value == 2


def test_the_dimension_covers_the_changed_cells(tmp_path: Path) -> None:
    sheet = sheet_xml('<row r="2"><c r="B2"><v>1</v></c></row>').replace(
        "<sheetData>", '<dimension ref="B2:C3"/><sheetData>'
    )
    target = patched(tmp_path, by_hand(tmp_path, sheet), {"Data": changed({"A5": 1})})
    assert '<dimension ref="A2:C5"/>' in xml_of(target)


def test_rows_are_hidden_and_shown(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="2" hidden="1"><c r="A2"><v>2</v></c></row>'
    rows += '<row r="3" hidden="1"/>'
    target = patched(tmp_path, by_hand(tmp_path, rows), {"Data": changed({}, hidden=lambda row: row in {1, 3})})
    sheet = openpyxl.load_workbook(target)["Data"]
    assert [sheet.row_dimensions[row].hidden for row in (1, 2, 3)] == [True, False, True]


def test_elements_with_a_prefix_and_cells_without_a_place_are_found(tmp_path: Path) -> None:
    rows = '<row><c><v>1</v></c><c t="str"><v>b</v></c></row><row><c><v>2</v></c></row>'
    plain = sheet_xml(rows)
    prefixed = re.sub(r"<(/?)(?!\?)", r"<\1x:", plain).replace("xmlns=", "xmlns:x=")
    for sheet in (plain, prefixed):
        target = patched(tmp_path, by_hand(tmp_path, sheet), {"Data": changed({"B1": 7, "A3": "z"})})
        found = openpyxl.load_workbook(target)["Data"]
        assert [[cell.value for cell in row] for row in found["A1:B3"]] == [[1, 7], [2, None], ["z", None]]


HARD = [
    "a & b < c > \"d\" 'e'",
    " spaces ",
    "line\nbreak",
    "tab\t",
    "\x01\x1f",
    "_x0041_",
    "é🎼",
    "\r",
    "]]>",
    "=1+1",
    "",
    "\ufffe",
]


@pytest.mark.parametrize("text", HARD)
def test_every_text_is_read_as_it_was_write(tmp_path: Path, text: str) -> None:
    target = patched(tmp_path, by_hand(tmp_path, ""), {"Data": changed({"A1": text})})
    shown = openpyxl.load_workbook(target)["Data"]["A1"].value
    decoded = re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), shown or "")
    assert decoded == text


@pytest.mark.parametrize(
    ("value", "content"),
    [(True, True), (False, False), (0, 0), (-1.5, -1.5), (1e308, 1e308), (2**60, float(2**60)), (0.1 + 0.2, 0.1 + 0.2)],
)
def test_every_value_is_read_as_it_was_write(tmp_path: Path, value: Any, content: Any) -> None:
    target = patched(tmp_path, by_hand(tmp_path, ""), {"Data": changed({"A1": value})})
    shown = openpyxl.load_workbook(target)["Data"]["A1"].value
    assert (type(shown) is bool, shown) == (type(content) is bool, content)


def test_an_error_is_an_error(tmp_path: Path) -> None:
    error = CellContent("#DIV/0!", formula="=1/0", error=True)
    target = patched(tmp_path, by_hand(tmp_path, ""), {"Data": changed({"A1": error})})
    assert '<c r="A1" t="e"><f>1/0</f><v>#DIV/0!</v></c>' in xml_of(target)


@pytest.mark.parametrize(
    ("formula", "stored"),
    [
        ("SUM(A1:A2)", "SUM(A1:A2)"),
        ("XLOOKUP(A1,B:B,C:C)", "_xlfn.XLOOKUP(A1,B:B,C:C)"),
        ('IF(A1,SORT(B1:B9),"XLOOKUP(x")', 'IF(A1,_xlfn._xlws.SORT(B1:B9),"XLOOKUP(x")'),
        ("_xlfn.CONCAT(A1)", "_xlfn.CONCAT(A1)"),
        ("STDEV.S(A1:A2)+IFS(A1,1)", "_xlfn.STDEV.S(A1:A2)+_xlfn.IFS(A1,1)"),
    ],
)
def test_newer_functions_have_their_prefix_in_the_file(formula: str, stored: str) -> None:
    assert in_file(formula) == stored


VALUES = st.none() | st.integers(-9, 9) | st.booleans() | st.text("ab<&é", max_size=4)
GRIDS = st.dictionaries(st.tuples(st.integers(1, 6), st.integers(1, 4)), VALUES, max_size=10)


@given(before=GRIDS, after=GRIDS)
@settings(max_examples=60, deadline=None)
@pytest.mark.no_cover
def test_both_readers_find_the_old_cells_with_the_changes(
    tmp_path_factory: pytest.TempPathFactory, before: Any, after: Any
) -> None:
    folder = tmp_path_factory.getbasetemp()
    source, target = folder / "before.xlsx", folder / "after.xlsx"
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "Data"
    for (row, column), value in before.items():
        book["Data"].cell(row, column).value = value
    book.save(source)
    cells: dict[int, dict[int, CellPatch]] = {}
    for (row, column), value in after.items():
        cells.setdefault(row, {})[column] = CellPatch(CellContent(value))
    patch(source, target, {"Data": SheetPatch(cells, lambda *_: EMPTY)})
    expected = {at: value for at, value in {**before, **after}.items() if value not in (None, "")}
    found = openpyxl.load_workbook(io.BytesIO(target.read_bytes()))["Data"]
    assert repr(shown(expected)) == repr(shown({(cell.row, cell.column): cell.value for row in found for cell in row}))
    rows = python_calamine.load_workbook(str(target)).get_sheet_by_name("Data").to_python(skip_empty_area=False)
    read = {(row, column): value for row, cells in enumerate(rows, 1) for column, value in enumerate(cells, 1)}
    assert shown(expected).keys() == shown(read).keys()


def shown(cells: Mapping[Any, Any]) -> dict[Any, Any]:
    return {at: cells[at] for at in sorted(cells) if cells[at] not in (None, "")}
