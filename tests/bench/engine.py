"""Measure the engine of workbooks: loading, changing one cell, scanning; run it by `python -m tests.bench.engine`."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from shared.apps.sheets.engine.inspection import inspect
from shared.apps.sheets.engine.process import ProcessEngine
from shared.apps.sheets.ops import CellWrite, WriteCells
from tests.apps.sheets.unit.engine import packages

Made = TypeVar("Made")

COLUMNS = 10
_CONSOLE = Console(width=110, highlight=False)


def main() -> None:
    """Print a line per step."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cells", type=int, default=200_000)
    arguments.add_argument("--formulas", type=int, default=40_000)
    arguments.add_argument("--formats", action="store_true", help="a column of dates and one of amounts")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "book.xlsx"
        write_book(file, given.cells, given.formulas, formats=given.formats)
        _CONSOLE.print(f"{given.cells:,} cells, {given.formulas:,} formulas, {file.stat().st_size / 1e6:.1f} MB")
        measure(file)


def measure(file: Path) -> None:
    """Load, change, scan and open a workbook."""
    engine = ProcessEngine()
    timed("inspect", lambda: inspect(file))
    workbook, report = timed("load", lambda: engine.load(file, "xlsx"))
    _CONSOLE.print(f"  {report.mode}, {report.judged} judged, {report.mismatches} mismatches, {report.frozen} frozen")
    first = timed("scan all", lambda: workbook.scan(frozenset()))
    snapshot = timed("snapshot", workbook.snapshot)
    _CONSOLE.print(
        f"  {sum(map(len, first.new.values())) / 1e6:.1f} MB of blocks, {len(snapshot) / 1e6:.1f} MB of snapshot"
    )
    workbook.close()
    start = time.perf_counter()
    opened = timed("open", lambda: engine.open(snapshot))
    change = WriteCells(sheet="Data", cells=(CellWrite(at="B2", value=7),))
    applied = timed("change one cell", lambda: opened.apply([change]))
    second = timed("scan", lambda: opened.scan(frozenset(first.new)))
    _CONSOLE.print(
        f"  together {time.perf_counter() - start:.2f} s; {applied.recalculated} computed, {len(second.new)} blocks"
    )
    timed("snapshot", opened.snapshot)
    opened.close()
    _CONSOLE.print(f"  the largest child had {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000:,.0f} MB")


def timed(name: str, call: Callable[[], Made]) -> Made:
    """Print how long a call takes."""
    start = time.perf_counter()
    made = call()
    _CONSOLE.print(f"{name:>16}  {time.perf_counter() - start:6.2f} s")
    return made


def write_book(file: Path, cells: int, formulas: int, *, formats: bool) -> None:
    """Write a workbook whose formulas have their values, as a spreadsheet program does."""
    rows = cells // COLUMNS
    content = packages.parts({"Data": ""})
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in content.items():
            if name != "xl/worksheets/sheet1.xml":
                archive.writestr(name, part)
        head, _, tail = packages.sheet_xml("|").partition("|")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(head.encode())
            for piece in _rows(rows, formulas // rows if rows else 0, formats=formats):
                sheet.write(piece.encode())
            sheet.write(tail.encode())


def _rows(rows: int, formulas: int, *, formats: bool) -> Iterator[str]:
    date, amount = (' s="1"', ' s="3"') if formats else ("", "")
    for row in range(1, rows + 1):
        a, b, c = row, row % 97 + 0.5, row % 13
        cells = [f'<c r="A{row}"{date}><v>{40_000 + a % 5000}</v></c>', f'<c r="B{row}"{amount}><v>{b}</v></c>']
        cells.append(f'<c r="C{row}"><v>{c}</v></c>')
        cells.append(f'<c r="D{row}" t="inlineStr"><is><t>name {row % 50}</t></is></c>')
        for column in range(4, COLUMNS):
            letter = "ABCDEFGHIJ"[column]
            if column - 4 < formulas:
                cells.append(f'<c r="{letter}{row}"><f>B{row}*C{row}</f><v>{b * c!r}</v></c>')
            else:
                cells.append(f'<c r="{letter}{row}"><v>{row * column}</v></c>')
        yield f'<row r="{row}">{"".join(cells)}</row>'


if __name__ == "__main__":
    main()
