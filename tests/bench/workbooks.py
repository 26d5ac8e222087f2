"""The files that `tests.bench.sheets` uploads: always the same cells, as many as asked for."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment

from tests.apps.sheets.unit.engine.packages import sheet_xml

COLUMNS = "ABCDEFGHIJ"
DATA = "Data"
DATA_PART = "xl/worksheets/sheet1.xml"
_TIMES = re.compile(rb"[^>]*(?=</dcterms:)")
_WRITTEN_AT_ONCE = 2_000  # rows


def values_of(row: int) -> list[int | float | str]:
    """Return the values of a row; rows are counted from 1."""
    b, c = row % 97 + 0.5, row % 13 + 1
    return [row, b, c, f"customer {row % 50}", b * c, row * 5, row * 6, row % 1000, row % 7 + 0.25, row * 9]


def write_xlsx(file: Path, rows: int, formulas: int) -> None:
    """Write a workbook with a chart and a comment on its second sheet; column E of the first rows has formulas."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with zipfile.ZipFile(io.BytesIO(_surroundings())) as around:
            for name in around.namelist():
                if name != DATA_PART:
                    archive.writestr(name, _TIMES.sub(b"2026-01-01T00:00:00Z", around.read(name)))
        head, _, tail = sheet_xml("|").partition("|")
        with archive.open(DATA_PART, "w") as sheet:
            sheet.write(head.encode())
            for first in range(1, rows + 1, _WRITTEN_AT_ONCE):
                some = range(first, min(first + _WRITTEN_AT_ONCE, rows + 1))
                sheet.write("".join(_row_xml(row, formula=row <= formulas) for row in some).encode())
            sheet.write(tail.encode())


def csv_of(rows: int) -> bytes:
    """Return a CSV file without a header, so that its rows have the numbers of the sheet's."""
    return "".join(_csv_lines(rows)).encode()


def _csv_lines(rows: int) -> Iterator[str]:
    for row in range(1, rows + 1):
        yield ",".join(map(str, values_of(row))) + "\n"


def _row_xml(row: int, *, formula: bool) -> str:
    cells = []
    for column, value in zip(COLUMNS, values_of(row), strict=True):
        if isinstance(value, str):
            cells.append(f'<c r="{column}{row}" t="inlineStr"><is><t>{value}</t></is></c>')
        elif formula and column == "E":
            cells.append(f'<c r="E{row}"><f>B{row}*C{row}</f><v>{value!r}</v></c>')
        else:
            cells.append(f'<c r="{column}{row}"><v>{value!r}</v></c>')
    return f'<row r="{row}">{"".join(cells)}</row>'


def _surroundings() -> bytes:
    """Return a workbook with an empty first sheet, and a second one with a chart of it and a comment."""
    book = openpyxl.Workbook()
    data, notes = book.worksheets[0], book.create_sheet("Notes")
    data.title = DATA
    notes["A1"] = "See the chart"
    notes["A1"].comment = Comment("Checked in March", "Ada")
    chart = BarChart()
    chart.add_data(Reference(data, min_col=2, min_row=1, max_row=20))
    notes.add_chart(chart, "C3")
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()
