"""Workbooks of other programs load: what the engine cannot compute keeps the value that the file has."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment

from shared.apps.sheets.addresses import parse_area
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.engine import csv_file, limits, process
from shared.apps.sheets.engine.process import ProcessWorkbook
from shared.apps.sheets.engine.refusal import Unsupported
from shared.apps.sheets.ops import CellWrite, ChangeStructure, ManageSheet, WriteCells
from shared.apps.sheets.workbook import LoadReport, SheetErrorCode, UnsupportedFile, WorkbookRefusal
from tests.apps.sheets.engines import patient_engine
from tests.apps.sheets.unit.engine import packages

Load = Callable[[Path], tuple[ProcessWorkbook, LoadReport]]


@pytest.fixture
def load() -> Iterator[Load]:
    opened: list[ProcessWorkbook] = []

    def load_file(file: Path) -> tuple[ProcessWorkbook, LoadReport]:
        workbook, report = patient_engine().load(file, "csv" if file.suffix == ".csv" else "xlsx")
        opened.append(workbook)
        return workbook, report

    yield load_file
    for workbook in opened:
        workbook.close()


def cell(workbook: ProcessWorkbook, at: str, sheet: str = "Data") -> CellContent:
    return workbook.read(sheet, parse_area(at))[0][0]


def row(*cells: str, number: int = 1) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def number(at: str, value: float, style: int = 0) -> str:
    return f'<c r="{at}" s="{style}"><v>{value}</v></c>'


def formula(at: str, text: str, value: str, kind: str = "n", about: str = "") -> str:
    return f'<c r="{at}" t="{kind}"><f{about}>{text}</f><v>{value}</v></c>'


def write(workbook: ProcessWorkbook, at: str, value: Any) -> None:
    workbook.apply([WriteCells(sheet="Data", cells=(CellWrite(at=at, value=value),))])


def test_formulas_are_judged_by_the_values_of_the_file(load: Load, tmp_path: Path) -> None:
    rows = row(
        number("A1", 2), formula("B1", "A1*2", "4"), formula("C1", "A1*3", "7"), formula("D1", "NOW()", "45000.5")
    )

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert (report.mode, report.judged, report.mismatches, report.frozen) == ("computed", 2, 1, 0)
    assert report.differences == ({"sheet": "Data", "cell": "C1", "formula": "=A1*3", "file": 7.0, "engine": 6.0},)
    assert cell(workbook, "B1") == CellContent(4, formula="=A1*2")


def test_what_the_engine_cannot_compute_is_frozen_and_computed_with(load: Load, tmp_path: Path) -> None:
    rows = row(number("A1", 2), formula("B1", "AGGREGATE(9,4,A1:A1)", "2"), formula("C1", "B1+1", "3"), number("D1", 5))

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert (report.judged, report.frozen, report.mismatches) == (2, 1, 0)
    assert report.notes == (
        "1 formula uses what the engine cannot compute. Their values are those of the file and do not change.",
    )
    assert cell(workbook, "B1") == CellContent(2, formula="=AGGREGATE(9,4,A1:A1)", frozen=True)
    assert cell(workbook, "C1") == CellContent(3, formula="=B1+1")


def test_frozen_formulas_follow_rows_sheets_and_names(load: Load, tmp_path: Path) -> None:
    rows = row(number("A1", 2), formula("B1", "AGGREGATE(9,4,A1:A5)+Data!A1", "4"))
    workbook, _ = load(packages.workbook(tmp_path / "book.xlsx", rows))

    workbook.apply([ChangeStructure(sheet="Data", action="insert_rows", at=1, count=2)])
    workbook.apply([ManageSheet(action="rename", sheet="Data", new_name="My data")])

    assert cell(workbook, "B3", "My data").formula == "=AGGREGATE(9,4,A3:A7)+'My data'!A3"
    assert cell(workbook, "B3", "My data").frozen


def test_a_write_replaces_a_frozen_cell(load: Load, tmp_path: Path) -> None:
    rows = row(number("A1", 2), formula("B1", "AGGREGATE(9,4,A1:A5)", "2"), formula("C1", "B1+1", "3"))
    workbook, _ = load(packages.workbook(tmp_path / "book.xlsx", rows))

    write(workbook, "B1", 10)

    assert (cell(workbook, "B1"), cell(workbook, "C1").value) == (CellContent(10), 11)


def test_references_to_other_files_keep_their_values(load: Load, tmp_path: Path) -> None:
    rows = row(formula("A1", "[1]Prices!B2*2", "8"), formula("B1", "A1+1", "9"))

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert report.frozen == 1
    assert cell(workbook, "A1") == CellContent(8, formula="=[1]Prices!B2*2", frozen=True)
    assert cell(workbook, "B1").value == 9


def test_lookups_in_whole_columns_are_bounded_but_shown_as_written(load: Load, tmp_path: Path) -> None:
    rows = "".join(
        row(
            number(f"A{n}", n),
            number(f"D{n}", n),
            number(f"E{n}", n * 2),
            formula(f"F{n}", f"VLOOKUP(A{n},$D:$E,2,0)", str(n * 2)),
            number=n,
        )
        for n in range(1, 309)
    )

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert (report.mode, report.judged, report.mismatches) == ("computed", 308, 0)
    assert cell(workbook, "F300") == CellContent(600, formula="=VLOOKUP(A300,$D:$E,2,0)")
    workbook.apply([ChangeStructure(sheet="Data", action="insert_columns", at=2, count=1)])
    assert cell(workbook, "G300").formula == "=VLOOKUP(A300,$E:$F,2,0)"


def test_a_bounded_reference_reaches_what_is_written_below_its_bound(load: Load, tmp_path: Path) -> None:
    workbook, _ = load(packages.workbook(tmp_path / "book.xlsx", row(number("A1", 1), formula("B1", "MAX(A:A)", "1"))))

    write(workbook, "A5000", 7)

    assert cell(workbook, "B1") == CellContent(7, formula="=MAX(A:A)")


def test_dates_and_times_are_shown_as_a_spreadsheet_shows_them(load: Load, tmp_path: Path) -> None:
    half_past_two = 14.5 / 24
    rows = row(
        number("A1", 45_000, 1),
        number("B1", half_past_two, 2),
        number("C1", 12.34, 3),
        number("D1", 45_000 + half_past_two, 4),
    )

    workbook, _ = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert [(each.text, each.iso) for each in workbook.read("Data", parse_area("A1:D1"))[0]] == [
        ("2023-03-15", "2023-03-15"),
        ("14:30", "14:30:00"),
        ("12.3 kg", None),
        ("3/15/2023 14:30", "2023-03-15T14:30:00"),
    ]


def test_days_from_1904_keep_their_dates_as_values(load: Load, tmp_path: Path) -> None:
    rows = row(number("A1", 45_000 - 1462, 1), formula("B1", "A1+1", "43539"))

    workbook, report = load(packages.workbook(tmp_path / "b.xlsx", rows, properties='<workbookPr date1904="1"/>'))

    assert (report.mode, report.frozen) == ("values", 1)
    assert "1904" in report.notes[0]
    assert cell(workbook, "A1") == CellContent(45_000, text="2023-03-15", iso="2023-03-15")
    assert cell(workbook, "B1").formula == "=A1+1"
    assert cell(workbook, "B1").frozen


def test_cells_without_places_are_loaded_as_values(load: Load, tmp_path: Path) -> None:
    workbook, report = load(packages.workbook(tmp_path / "b.xlsx", "<row><c><v>1</v></c><c><v>2</v></c></row>"))

    assert report.mode == "values"
    assert [each.value for each in workbook.read("Data", parse_area("A1:B1"))[0]] == [1, 2]


def test_comments_of_openpyxl_do_not_matter(load: Load, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Data"
    sheet["A1"] = 3
    sheet["A1"].comment = Comment("a remark", "somebody")
    sheet["B1"] = "=A1*2"
    sheet["C1"] = datetime.datetime(2024, 2, 29, 12, 0)  # noqa: DTZ001
    book.save(tmp_path / "book.xlsx")

    workbook, report = load(tmp_path / "book.xlsx")

    assert report.mode == "computed"
    assert cell(workbook, "B1") == CellContent(6, formula="=A1*2")
    assert cell(workbook, "C1").iso == "2024-02-29T12:00:00"


def test_texts_booleans_and_errors_of_formulas(load: Load, tmp_path: Path) -> None:
    rows = row(
        formula("A1", "&quot;a&amp;b&quot;", "a&amp;b", "str"),
        formula("B1", "1=1", "1", "b"),
        formula("C1", "1/0", "#DIV/0!", "e"),
        formula("D1", "NA()", "#N/A", "e"),
    )

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert (report.judged, report.mismatches) == (4, 0)
    assert cell(workbook, "A1") == CellContent("a&b", formula='="a&b"')
    assert cell(workbook, "B1").value is True
    assert cell(workbook, "C1") == CellContent("#DIV/0!", formula="=1/0", error=True)


def test_shared_and_array_formulas(load: Load, tmp_path: Path) -> None:
    rows = (
        row(number("A1", 1), formula("B1", "A1*2", "2", about=' t="shared" ref="B1:B2" si="0"'))
        + row(number("A2", 5), '<c r="B2"><f t="shared" si="0"/><v>10</v></c>', number=2)
        + row(formula("A3", "SUM(A1:A2*B1:B2)", "52", about=' t="array" ref="A3"'), number=3)
    )

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert (report.judged, report.mismatches, report.frozen) == (3, 0, 0)
    assert cell(workbook, "B2").formula == "=A2*2"


def test_formulas_without_values_are_computed(load: Load, tmp_path: Path) -> None:
    rows = row(number("A1", 4), '<c r="B1"><f>A1*2</f></c>', '<c r="C1"><f>A1*3</f><v></v></c>')

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert report.judged == 0
    assert [each.value for each in workbook.read("Data", parse_area("B1:C1"))[0]] == [8, 12]


def test_names_of_ranges_and_constants(load: Load, tmp_path: Path) -> None:
    names = (
        '<definedNames><definedName name="Rate">0.2</definedName>'
        '<definedName name="Net">Data!$A$1:$A$2</definedName></definedNames>'
    )
    rows = row(number("A1", 10), formula("B1", "A1*Rate", "2")) + row(
        number("A2", 20), formula("B2", "SUM(Net)", "30"), number=2
    )
    file = packages.write(tmp_path / "book.xlsx", packages.parts({"Data": rows}, names=names))

    workbook, report = load(file)

    assert report.mismatches == 0
    assert [cell(workbook, at).value for at in ("B1", "B2")] == [2, 30]


def test_empty_cells_with_formats_are_no_content(load: Load, tmp_path: Path) -> None:
    rows = row(number("A1", 1)) + "".join(row(f'<c r="A{n}" s="1"/>', number=n) for n in range(2, 5000))

    workbook, _ = load(packages.workbook(tmp_path / "book.xlsx", rows))

    [sheet] = workbook.sheets
    assert (sheet.rows, sheet.columns) == (1, 1)
    assert len(workbook.scan(frozenset()).new) == 1


def test_cells_far_from_each_other(load: Load, tmp_path: Path) -> None:
    rows = row(number("A1", 1)) + row(number("XFD1048576", 2), number=1_048_576)

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    [sheet] = workbook.sheets
    assert (report.mode, sheet.rows, sheet.columns) == ("computed", 1_048_576, 16_384)
    assert len(workbook.scan(frozenset()).new) == 2
    with pytest.raises(WorkbookRefusal) as refused:
        workbook.apply([ChangeStructure(sheet="Data", action="insert_rows", at=1, count=1)])
    assert refused.value.code == SheetErrorCode.RANGE_TOO_LARGE
    workbook.apply([ChangeStructure(sheet="Data", action="delete_rows", at=2, count=5)])
    assert cell(workbook, "XFD1048571").value == 2


def test_sheet_names_with_quotes_and_emoji(load: Load, tmp_path: Path) -> None:
    sheets = {"It&apos;s 😀": row(number("A1", 4)), "Data": row(formula("A1", "'It''s 😀'!A1*2", "8"))}

    workbook, report = load(packages.write(tmp_path / "book.xlsx", packages.parts(sheets)))

    assert (report.judged, report.mismatches) == (1, 0)
    assert cell(workbook, "A1", "It's 😀").value == 4


def test_elements_with_a_prefix(load: Load, tmp_path: Path) -> None:
    sheet = (
        f'{packages.HEAD}<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>'
        '<x:row r="1"><x:c r="A1" s="1"><x:v>45000</x:v></x:c><x:c r="B1"><x:f>A1+1</x:f><x:v>45001</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    )

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", sheet))

    assert cell(workbook, "A1").iso == "2023-03-15"
    assert cell(workbook, "B1").value == 45_001
    assert report.mode == "values" or report.judged == 1


def test_a_workbook_without_styles(load: Load, tmp_path: Path) -> None:
    parts = packages.parts({"Data": row(number("A1", 3), formula("B1", "A1+1", "4"))})
    del parts["xl/styles.xml"]
    relation = parts["xl/_rels/workbook.xml.rels"]
    start = relation.index('<Relationship Id="rIdStyles"')
    parts["xl/_rels/workbook.xml.rels"] = relation[:start] + "</Relationships>"

    workbook, _ = load(packages.write(tmp_path / "book.xlsx", parts))

    assert [cell(workbook, at).value for at in ("A1", "B1")] == [3, 4]


def test_a_workbook_that_nothing_can_read_is_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFile, match="save it as"):
        load(packages.workbook(tmp_path / "book.xlsx", "<row r='1'><c r='A1'><v>1</row>"))


def test_a_workbook_without_sheets_is_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFile, match="Upload one that has"):
        load(packages.write(tmp_path / "book.xlsx", packages.parts({})))


def test_a_workbook_that_takes_too_long_is_loaded_as_values(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = process._Child.ask

    def late(child: process._Child, request: dict[str, Any], binary: bytes, seconds: float) -> Any:
        if request.get("mode") == "computed":
            raise WorkbookRefusal(SheetErrorCode.CALCULATION_TOO_SLOW, "stopped")
        return ask(child, request, binary, seconds)

    monkeypatch.setattr(process._Child, "ask", late)
    rows = row(number("A1", 2, 1), formula("B1", "A1*2", "4"), formula("C1", "_xlfn.NEW(A1)", "x", "str"))

    workbook, report = load(packages.workbook(tmp_path / "book.xlsx", rows))

    assert (report.mode, report.frozen) == ("values", 2)
    assert "takes too long" in report.notes[0]
    assert cell(workbook, "B1") == CellContent(4, formula="=A1*2", frozen=True)
    assert cell(workbook, "C1") == CellContent("x", formula="=NEW(A1)", frozen=True)
    assert cell(workbook, "A1").iso == "1900-01-02"


CSV: dict[str, tuple[bytes, str, list[Any]]] = {
    "codes stay text": (
        b"a,b,c,d\n00123,12345678901234567890,+1,1E5\n",
        "A2:D2",
        ["00123", "12345678901234567890", "+1", "1E5"],
    ),
    "numbers": (b"1,-2.5,1e-05,0.12345678901234567,0\n", "A1:E1", [1, -2.5, 1e-05, 0.12345678901234567, 0]),
    "semicolons and decimal commas": (b"a;b\n1,5;2\n", "A2:B2", [1.5, 2]),
    "tabs": (b"a\tb\n1\t2\n", "A2:B2", [1, 2]),
    "pipes": (b"a|b\n1|2\n", "A2:B2", [1, 2]),
    "quotes and line ends in fields": (b'"a, ""b""\nc",2\r\n', "A1:B1", ['a, "b"\nc', 2]),
    "utf-16": ("a,\u00e4\n".encode("utf-16"), "A1:B1", ["a", "\u00e4"]),
    "cp1252": ("a,\u20ac\n".encode("cp1252"), "A1:B1", ["a", "\u20ac"]),
    "a byte order mark": (b"\xef\xbb\xbfa,b\n", "A1:B1", ["a", "b"]),
    "formulas stay text": (b"=1+1,-cmd|x,@SUM(A1)\n", "A1:C1", ["=1+1", "-cmd|x", "@SUM(A1)"]),
    "ragged rows": (b"a\nb,c,d\n\ne,f\n", "A4:B4", ["e", "f"]),
    "truth values": (b"TRUE,false,True\n", "A1:C1", [True, False, "True"]),
    "impossible dates stay text": (b"2024-02-30,1850-01-01\n", "A1:B1", ["2024-02-30", "1850-01-01"]),
    "old line ends": (b"a,b\r1,2\r", "A2:B2", [1, 2]),
}


@pytest.mark.parametrize("name", CSV)
def test_a_csv_file_is_read(load: Load, tmp_path: Path, name: str) -> None:
    content, area, values = CSV[name]
    (tmp_path / "book.csv").write_bytes(content)

    workbook, report = load(tmp_path / "book.csv")

    assert report.mode == "computed"
    found = [each.value for each in workbook.read("Sheet1", parse_area(area))[0]]
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


def test_dates_of_a_csv_file_are_dates_and_shown_as_they_were(load: Load, tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_bytes(b"2024-02-29,2024-02-29 14:30,2024-02-29T14:30:05\nx,7,8\n")

    workbook, _ = load(tmp_path / "book.csv")

    cells = workbook.read("Sheet1", parse_area("A1:C2"))
    assert [each.text for each in cells[0]] == ["2024-02-29", "2024-02-29 14:30", "2024-02-29T14:30:05"]
    assert [each.iso for each in cells[0]] == ["2024-02-29", "2024-02-29T14:30:00", "2024-02-29T14:30:05"]
    assert [each.text for each in cells[1]] == [None, None, None]


def test_a_csv_file_with_more_columns_than_a_sheet_is_refused(load: Load, tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_bytes(b",".join([b"1"] * 16_385))

    with pytest.raises(UnsupportedFile, match="16,384 columns"):
        load(tmp_path / "book.csv")


def test_a_csv_file_with_more_rows_than_a_sheet_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MOST_ROWS", 10)
    (tmp_path / "book.csv").write_bytes(b"1\n" * 11)

    with pytest.raises(Unsupported, match="at most 10 rows"):
        csv_file.load(tmp_path / "book.csv")


def test_a_csv_file_with_too_many_different_texts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_TEXTS", 3)
    file = tmp_path / "book.csv"
    file.write_text("a,b,c\nb,c,a\n1,2,3\n4,5,6\n")
    csv_file.load(file)

    file.write_text("a,b,c\nb,c,a\n1,2,d\n")
    with pytest.raises(Unsupported, match=r"more than 3 different texts.*Split it"):
        csv_file.load(file)


@pytest.mark.parametrize("declared", ["sep=;", "SEP=;", '"sep=;"'])
def test_the_line_that_declares_the_delimiter_of_a_csv_file_is_no_row(
    load: Load, tmp_path: Path, declared: str
) -> None:
    (tmp_path / "a.csv").write_text(f"{declared}\r\na,b;c\r\n1,5;2\r\n")
    workbook, _ = load(tmp_path / "a.csv")
    rows = workbook.read(workbook.sheets[0].name, parse_area("A1:B2"))
    assert [[each.value for each in row] for row in rows] == [["a,b", "c"], [1.5, 2]]


@pytest.mark.parametrize("cells", ["shared", "inline"])
@pytest.mark.parametrize("is_1904", [False, True])
def test_phonetic_hints_are_no_part_of_a_text(load: Load, tmp_path: Path, cells: str, is_1904: bool) -> None:
    text = '<t>課きく</t><rPh sb="0" eb="1"><t>カ</t></rPh><phoneticPr fontId="1"/>'
    held = f'<c r="A1" t="inlineStr"><is>{text}</is></c>' if cells == "inline" else '<c r="A1" t="s"><v>0</v></c>'
    properties = '<workbookPr date1904="1"/>' if is_1904 else ""
    content = packages.parts({"Data": row(held)}, workbook=properties)
    if cells == "shared":
        content["xl/sharedStrings.xml"] = (
            f'{packages.HEAD}<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si>{text}</si></sst>'
        )
        relation = packages.relations(sharedStrings="sharedStrings.xml").partition("<Relationship ")[2]
        content["xl/_rels/workbook.xml.rels"] = content["xl/_rels/workbook.xml.rels"].replace(
            "</Relationships>", f"<Relationship {relation}"
        )
    workbook, _ = load(packages.write(tmp_path / "a.xlsx", content))
    assert cell(workbook, "A1").value == "課きく"


@pytest.mark.parametrize("prefix", ["", "x:"])
def test_blanks_around_a_value_are_no_part_of_it(load: Load, tmp_path: Path, prefix: str) -> None:
    cells = [
        '<c r="A1"><v> 12 </v></c>',
        '<c r="B1" t="n"><v>\n3.5\n</v></c>',
        '<c r="C1"><f>A1+B1</f><v> 15.5 </v></c>',
        '<c r="D1" t="str"><f>" a "</f><v> a </v></c>',
        '<c r="E1"/>',
        '<c r="F1"><v>7</v></c>',
    ]
    content = packages.parts({"Data": row(*cells)})
    if prefix:
        sheet = re.sub(r"<(/?)(?=[a-z])", rf"<\1{prefix}", content["xl/worksheets/sheet1.xml"])
        content["xl/worksheets/sheet1.xml"] = sheet.replace("xmlns=", "xmlns:x=")
    workbook, report = load(packages.write(tmp_path / "a.xlsx", content))
    assert [cell(workbook, f"{column}1").value for column in "ABCDF"] == [12, 3.5, 15.5, " a ", 7]
    assert (report.mode, report.mismatches) == ("computed", 0)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_sheet_in_utf_16_is_read(load: Load, tmp_path: Path, encoding: str) -> None:
    text = '<c r="A1" t="inlineStr"><is><t>Größe 水</t></is></c>'
    cells = [text, '<c r="B1"><v>2</v></c>', formula("C1", "B1*3", "6")]
    content: dict[str, Any] = dict(packages.parts({"Data": row(*cells)}))
    part = content["xl/worksheets/sheet1.xml"].replace('encoding="UTF-8"', 'encoding="UTF-16"')
    mark = "" if encoding == "utf-16" else "\ufeff"
    content["xl/worksheets/sheet1.xml"] = (mark + part).encode(encoding)
    workbook, report = load(packages.write(tmp_path / "a.xlsx", content))
    assert [cell(workbook, f"{column}1").value for column in "ABC"] == ["Größe 水", 2, 6]
    assert (report.mode, report.judged, report.mismatches) == ("computed", 1, 0)


def test_dates_that_the_file_has_as_text_are_dates(load: Load, tmp_path: Path) -> None:
    cells = [
        '<c r="A1" t="d"><v>2024-02-29T12:00:00</v></c>',
        '<c r="B1" t="d"><v>2024-02-29T00:00:00Z</v></c>',
        '<c r="C1" t="d"><v>18:00:00</v></c>',
        formula("D1", "A1+1", "45352.5"),
    ]
    workbook, report = load(packages.write(tmp_path / "a.xlsx", packages.parts({"Data": row(*cells)})))
    assert [cell(workbook, f"{column}1").value for column in "ABCD"] == [45351.5, 45351, 0.75, 45352.5]
    assert cell(workbook, "A1").iso == "2024-02-29T12:00:00"
    assert (report.mode, report.judged, report.mismatches) == ("computed", 1, 0)


def test_all_cells_of_an_array_formula_that_is_not_computed_keep_their_values(load: Load, tmp_path: Path) -> None:
    content = packages.parts(
        {
            "Data": row(
                '<c r="A1" cm="1"><f t="array" ref="A1:A4">_xlfn.NOSUCH(B1:B4)</f><v>1</v></c>',
                formula("C1", "SUM(A1:A4)", "3.5"),
            )
            + row(number("A2", 2.5), number=2)
            + row('<c r="A3" t="str"><v>x &amp; y</v></c>', number=3)
            + row('<c r="A4" t="b"><v>1</v></c>', number=4)
        }
    )
    workbook, report = load(packages.write(tmp_path / "a.xlsx", content))
    assert [cell(workbook, f"A{number}").value for number in range(1, 5)] == [1, 2.5, "x & y", True]
    assert cell(workbook, "C1") == CellContent(3.5, formula="=SUM(A1:A4)")
    assert (report.mode, report.frozen, report.mismatches) == ("computed", 1, 0)
