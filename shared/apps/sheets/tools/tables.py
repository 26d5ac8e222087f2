"""A table of a sheet: its header row, the names of its columns, and its rows of data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.apps.sheets.addresses import Area, BadAddress, Cell, column_name, column_number
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.headers import ROWS_TO_LOOK_AT, column_names, find_header
from shared.apps.sheets.tools.places import area_named, has_content, nearest, rows_in, used_area
from shared.apps.sheets.workbook import SheetErrorCode, SheetInfo, Workbook, WorkbookRefusal

MOST_SCANNED_CELLS = 600_000
"""How many cells a tool reads at most to compute with them; SQL, which runs beside the cells, has no such limit."""

_ROWS_READ = ROWS_TO_LOOK_AT + 20
_MOST_COLUMNS = 500
_LETTERS = re.compile(r"[A-Za-z]{1,3}")
_TOTAL = re.compile(r"\s*(grand\s+|sub-?\s*)?(total|totals|sum|summe|gesamt)\b.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: `header` is the row that names the columns, None if no row does; `data` is the area below it."""

    sheet: SheetInfo
    header: int | None
    names: tuple[str, ...]
    data: Area

    @property
    def first_column(self) -> int:
        return self.data.first.column

    def column(self, name: str) -> int:
        """Return the number of the column with this name or these letters, whatever their case.

        Raises WorkbookRefusal (UNKNOWN_COLUMN) with the nearest names.
        """
        wanted = " ".join(name.split()).casefold()
        for number, known in enumerate(self.names, start=self.first_column):
            if known.casefold() == wanted:
                return number
        by_letters = self._by_letters(name.strip()) if _LETTERS.fullmatch(name.strip()) else None
        if by_letters is not None:
            return by_letters
        raise WorkbookRefusal(
            SheetErrorCode.UNKNOWN_COLUMN,
            f"{self.sheet.name}!{self.data} has no column {name[:64]!r}",
            hint=f"use {nearest(name, self.names)}",
        )

    def name_of(self, column: int) -> str:
        return self.names[column - self.first_column]

    def rows(self, workbook: Workbook) -> Iterator[tuple[int, Sequence[CellContent]]]:
        """Yield the rows of data with their numbers in the sheet, without empty rows."""
        for number, row in enumerate(rows_in(workbook, self.sheet.name, self.data), start=self.data.first.row):
            if any(map(has_content, row)):
                yield number, row

    def _by_letters(self, letters: str) -> int | None:
        try:
            number = column_number(letters)
        except BadAddress:
            return None
        return number if self.data.first.column <= number <= self.data.last.column else None


def table_of(workbook: Workbook, sheet: SheetInfo, area_text: str | None = None) -> Table:
    """Return the table of a sheet, or the one of a range of it.

    A range without its header row gets the names of the sheet's header row, if no empty row lies between them. Raises
    WorkbookRefusal (BAD_RANGE, NOTHING_FOUND).
    """
    whole = _detected(workbook, sheet, used_area(sheet))
    if area_text is None:
        return whole
    area = _within_used(sheet, area_named(sheet, area_text))
    if whole.header is None:
        return _detected(workbook, sheet, area)
    if area.first.row <= whole.header < area.last.row:
        return _with_names_of(whole, replace(area, first=Cell(whole.header + 1, area.first.column)))
    above = area.first.row - 1
    if above > whole.header and not _is_empty_row(workbook, sheet, above, area):
        return _with_names_of(whole, area)
    if above == whole.header:
        return _with_names_of(whole, area)
    return _detected(workbook, sheet, area)


def without_header(workbook: Workbook, sheet: SheetInfo, area: Area, *, has_header: bool) -> Table:
    """Return the table of an area whose first row is the header row if the caller says so."""
    if not has_header:
        return Table(sheet, None, column_names(None, area.columns, first=area.first.column), area)
    if area.rows == 1:
        raise WorkbookRefusal(
            SheetErrorCode.BAD_RANGE, f"{area} has a header row and no row below it", hint="extend the range downwards"
        )
    (header,) = workbook.read(sheet.name, replace(area, last=Cell(area.first.row, area.last.column)))
    names = column_names(header, area.columns, first=area.first.column)
    return Table(sheet, area.first.row, names, replace(area, first=Cell(area.first.row + 1, area.first.column)))


def is_total(row: Sequence[CellContent]) -> bool:
    """Return whether the row looks like a row of totals: its first text says so."""
    first = next((cell.value for cell in row if isinstance(cell.value, str) and cell.value.strip()), "")
    return _TOTAL.fullmatch(str(first)) is not None


def check_scan(cells: int, table: Table) -> None:
    """Raises WorkbookRefusal (RANGE_TOO_LARGE) if a tool would have to read too many cells."""
    if cells > MOST_SCANNED_CELLS:
        raise WorkbookRefusal(
            SheetErrorCode.RANGE_TOO_LARGE,
            f"{table.sheet.name}!{table.data} has too many cells: {cells:,} of at most {MOST_SCANNED_CELLS:,}",
            hint="use sql_query, or name a smaller range",
        )


def _detected(workbook: Workbook, sheet: SheetInfo, area: Area) -> Table:
    """Return the table of an area, with the header row that the rows at its top suggest."""
    columns = min(area.columns, _MOST_COLUMNS)
    last = Cell(min(area.last.row, area.first.row + _ROWS_READ - 1), area.first.column + columns - 1)
    top = workbook.read(sheet.name, Area(area.first, last))
    index = find_header(top)
    names = column_names(None if index is None else top[index], area.columns, first=area.first.column)
    first = _first_row_with_content(top) if index is None else index + 1
    data = Area(Cell(area.first.row + first, area.first.column), area.last)
    return Table(sheet, None if index is None else area.first.row + index, names, data)


def _first_row_with_content(rows: Sequence[Sequence[CellContent]]) -> int:
    return next((index for index, row in enumerate(rows) if any(map(has_content, row))), 0)


def _with_names_of(whole: Table, area: Area) -> Table:
    first = area.first.column - whole.first_column
    return Table(whole.sheet, whole.header, whole.names[first : first + area.columns], area)


def _within_used(sheet: SheetInfo, area: Area) -> Area:
    """Return the part of the area that has content, at most. Raises WorkbookRefusal if none has."""
    last = Cell(min(area.last.row, sheet.rows), min(area.last.column, sheet.columns))
    if last.row < area.first.row or last.column < area.first.column:
        end = f"{column_name(max(1, sheet.columns))}{max(1, sheet.rows)}"
        raise WorkbookRefusal(
            SheetErrorCode.NOTHING_FOUND, f"{area} is empty", hint=f"the content of {sheet.name} ends at {end}"
        )
    return Area(area.first, last)


def _is_empty_row(workbook: Workbook, sheet: SheetInfo, row: int, area: Area) -> bool:
    line = Area(Cell(row, area.first.column), Cell(row, area.last.column))
    return not any(map(has_content, workbook.read(sheet.name, line)[0]))
