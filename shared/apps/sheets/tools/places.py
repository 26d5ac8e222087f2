"""Find the sheet, the range and the column that a model names, or say which ones there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from shared.apps.sheets.addresses import (
    MOST_COLUMNS,
    MOST_ROWS,
    Area,
    BadAddress,
    Cell,
    column_name,
    column_number,
    parse_area,
)
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.workbook import SheetErrorCode, SheetInfo, Workbook, WorkbookRefusal

CELLS_PER_READ = 50_000
"""How many cells one call of the engine's process returns at most, so that no answer is very large."""

_COLUMNS = re.compile(r"\$?([A-Za-z]{1,3}):\$?([A-Za-z]{1,3})")
_ROWS = re.compile(r"\$?([1-9][0-9]{0,6}):\$?([1-9][0-9]{0,6})")
_NAMES_IN_HINT = 12


def sheet_named(workbook: Workbook, name: str) -> SheetInfo:
    """Return the sheet, whatever the case of its name.

    Raises WorkbookRefusal (UNKNOWN_SHEET) with the nearest names.
    """
    for sheet in workbook.sheets:
        if sheet.name == name:
            return sheet
    for sheet in workbook.sheets:
        if sheet.name.casefold() == name.strip().strip("'").casefold():
            return sheet
    names = [sheet.name for sheet in workbook.sheets]
    raise WorkbookRefusal(
        SheetErrorCode.UNKNOWN_SHEET, f"there is no sheet {name[:64]!r}", hint=f"use {nearest(name, names)}"
    )


def nearest(name: str, names: Sequence[str]) -> str:
    """Return the names that are most like this one, the nearest first, or all of a few, in quotation marks."""
    by_folded = {each.casefold(): each for each in reversed(names)}
    close = [by_folded[each] for each in difflib.get_close_matches(name.casefold(), list(by_folded), n=3, cutoff=0.5)]
    if close:
        return " or ".join(f"“{each}”" for each in close)
    listed = ", ".join(f"“{each}”" for each in names[:_NAMES_IN_HINT])
    return f"one of {listed}" + (f" and {len(names) - _NAMES_IN_HINT} more" if len(names) > _NAMES_IN_HINT else "")


def used_area(sheet: SheetInfo) -> Area:
    """Return the area from A1 to the last cell with content. Raises WorkbookRefusal if the sheet is empty."""
    if not (sheet.rows and sheet.columns):
        raise WorkbookRefusal(
            SheetErrorCode.NOTHING_FOUND, f"the sheet {sheet.name} is empty", hint="read another sheet, or write to it"
        )
    return Area(Cell(1, 1), Cell(sheet.rows, sheet.columns))


def area_named(sheet: SheetInfo, text: str) -> Area:
    """Return the area of a range of this sheet: `A1:C9`, `B3`, `A:C`, `2:9`, also with the sheet's name before it.

    Whole columns and rows end where the sheet's content ends. Raises WorkbookRefusal (BAD_RANGE).
    """
    text = _without_sheet(sheet, text.strip())
    if found := _COLUMNS.fullmatch(text):
        first, last = sorted((_column(found[1]), _column(found[2])))
        return Area(Cell(1, first), Cell(max(1, sheet.rows), last))
    if found := _ROWS.fullmatch(text):
        top, bottom = sorted((int(found[1]), int(found[2])))
        if bottom > MOST_ROWS:
            raise _bad_range(f"row {bottom} does not exist; the last row is {MOST_ROWS}")
        return Area(Cell(top, 1), Cell(bottom, max(1, sheet.columns)))
    try:
        return parse_area(text)
    except BadAddress as error:
        raise _bad_range(str(error)) from error


def area_at(start: Cell, rows: int, columns: int) -> Area:
    """Return the area of this size that begins at a cell. Raises WorkbookRefusal if it goes beyond the sheet."""
    last = Cell(start.row + rows - 1, start.column + columns - 1)
    if last.row > MOST_ROWS or last.column > MOST_COLUMNS:
        raise _bad_range(f"{rows} rows and {columns} columns from {start} on go beyond the last cell of a sheet")
    return Area(start, last)


def check_size(area: Area, most: int, hint: str) -> None:
    """Raises WorkbookRefusal (RANGE_TOO_LARGE) if the area has more cells; the hint says how to narrow it."""
    if area.size > most:
        raise WorkbookRefusal(
            SheetErrorCode.RANGE_TOO_LARGE, f"{area} has {area.size:,} cells; at most {most:,} are allowed", hint=hint
        )


def rows_in(workbook: Workbook, sheet: str, area: Area) -> Iterator[Sequence[CellContent]]:
    """Yield the rows of the area, read in several calls if it is large."""
    step = max(1, CELLS_PER_READ // area.columns)
    for first in range(area.first.row, area.last.row + 1, step):
        last = min(first + step - 1, area.last.row)
        yield from workbook.read(sheet, Area(Cell(first, area.first.column), Cell(last, area.last.column)))


def has_content(cell: CellContent) -> bool:
    """Return whether the cell has a value or a formula."""
    return cell.formula is not None or (cell.value is not None and cell.value != "")


def occupied_in(workbook: Workbook, sheet: SheetInfo, area: Area) -> list[tuple[Cell, CellContent]]:
    """Return the cells of the area that have content."""
    last = Cell(min(area.last.row, sheet.rows), min(area.last.column, sheet.columns))
    if last.row < area.first.row or last.column < area.first.column:
        return []
    inside = Area(area.first, last)
    return [
        (Cell(inside.first.row + down, inside.first.column + across), cell)
        for down, row in enumerate(rows_in(workbook, sheet.name, inside))
        for across, cell in enumerate(row)
        if has_content(cell)
    ]


def refuse_to_overwrite(workbook: Workbook, sheet: SheetInfo, area: Area) -> None:
    """Raises WorkbookRefusal (WOULD_OVERWRITE) if cells of the area have content."""
    occupied = occupied_in(workbook, sheet, area)
    if not occupied:
        return
    sample = ", ".join(f"{cell} = {str(content.formula or content.value)[:40]!r}" for cell, content in occupied[:3])
    free = column_name(min(sheet.columns + 1, MOST_COLUMNS))
    raise WorkbookRefusal(
        SheetErrorCode.WOULD_OVERWRITE,
        f"{len(occupied):,} cells in {area} have content: {sample}",
        hint=f"the first free column is {free}; set allowOverwrite only if the person wants to replace these cells",
    )


def _without_sheet(sheet: SheetInfo, text: str) -> str:
    name, separator, rest = text.rpartition("!")
    if not separator:
        return text
    if name.strip("'").replace("''", "'").casefold() != sheet.name.casefold():
        raise _bad_range(f"the range {text[:64]!r} names another sheet than {sheet.name!r}")
    return rest


def _column(letters: str) -> int:
    try:
        return column_number(letters)
    except BadAddress as error:
        raise _bad_range(str(error)) from error


def _bad_range(message: str) -> WorkbookRefusal:
    return WorkbookRefusal(SheetErrorCode.BAD_RANGE, message, hint="write a range as A1:C9, a column as B:B")
