"""Find the header row of a sheet, and name its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.apps.sheets.addresses import column_name
from shared.apps.sheets.cells import CellContent

ROWS_TO_LOOK_AT = 40
"""How many rows from the top of a sheet the header row is looked for in."""

_COMPARED_ROWS = 20
_LEAST_COVERAGE = 0.6
"""A header row has content in at least this part of the columns that the rows below have content in."""
_LONGEST_NAME = 80
_NUMBER = re.compile(r"[-+]?[$€£]?\s*\d[\d,. ]*%?")
_YEARS = range(1900, 2101)


def find_header(rows: Sequence[Sequence[CellContent]]) -> int | None:
    """Return the index of the header row among the first rows of a sheet; None if the sheet has none.

    A header row names nearly every column that has content below, and names none twice. Rows above it, such as a title
    or an export's note, name only a few. A sheet whose first whole row is already data has no header row.
    """
    for index in range(min(len(rows), ROWS_TO_LOOK_AT)):
        below = _rows_below(rows, index)
        if below and _covers(rows[index], below, _LEAST_COVERAGE):
            return (_better_below(rows, index) or index) if _names_columns(rows[index], below) else None
    return None


def column_names(header: Sequence[CellContent] | None, columns: int, *, first: int = 1) -> tuple[str, ...]:
    """Return a unique name for each of `columns` columns from the column with the number `first` on.

    A column without a name in the header row is called by its letters. A name that comes again gets a number: `Total`,
    `Total_2`. Names that differ in case only count as the same.
    """
    names: list[str] = []
    taken: set[str] = set()
    for offset in range(columns):
        cell = header[offset] if header is not None and offset < len(header) else CellContent()
        wanted = title_of(cell) or column_name(first + offset)
        name, number = wanted, 1
        while name.casefold() in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)


def title_of(cell: CellContent) -> str:
    """Return the text of a header cell in one line of at most 80 characters; an empty cell has none."""
    text = cell.iso or cell.text or ("" if cell.value is None else str(cell.value))
    return " ".join(text.split())[:_LONGEST_NAME].strip()


def looks_numeric(text: str) -> bool:
    """Return whether a text is written like a number, such as `1,204.50`, `12 %` or `€ 9`."""
    return _NUMBER.fullmatch(text.strip()) is not None


def _rows_below(rows: Sequence[Sequence[CellContent]], index: int) -> list[Sequence[CellContent]]:
    return [each for each in rows[index + 1 : index + 1 + _COMPARED_ROWS] if any(map(_has_content, each))]


def _better_below(rows: Sequence[Sequence[CellContent]], index: int) -> int | None:
    """Return a later row that names more columns, above values that are no texts: then this one is a note."""
    named = _filled(rows[index])
    for later in range(index + 1, min(len(rows), ROWS_TO_LOOK_AT)):
        below = _rows_below(rows, later)
        if not below or not named < _filled(rows[later]):
            continue
        names = _covers(rows[later], below, 1.0) and _names_columns(rows[later], below)
        return later if names and _has_other_than_text(below) else None
    return None


def _has_content(cell: CellContent) -> bool:
    return cell.formula is not None or (cell.value is not None and cell.value != "")


def _filled(row: Sequence[CellContent]) -> int:
    return sum(map(_has_content, row))


def _has_other_than_text(rows: Sequence[Sequence[CellContent]]) -> bool:
    return any(_has_content(cell) and not isinstance(cell.value, str) for row in rows for cell in row)


def _covers(row: Sequence[CellContent], below: Sequence[Sequence[CellContent]], part: float) -> bool:
    """Return whether the row has content in this part of the columns that the rows below have content in.

    The second widest row counts, because one row may have a remark beside it.
    """
    widths = sorted(map(_filled, below), reverse=True)
    width = widths[1] if len(widths) > 1 else widths[0]
    used = {column for each in below for column, cell in enumerate(each) if _has_content(cell)}
    filled = {column for column, cell in enumerate(row) if _has_content(cell)}
    return bool(filled) and len(filled) >= part * width and len(filled & used) >= _LEAST_COVERAGE * len(filled)


def _names_columns(row: Sequence[CellContent], below: Sequence[Sequence[CellContent]]) -> bool:
    filled = [(column, cell) for column, cell in enumerate(row) if _has_content(cell)]
    titles = [title_of(cell).casefold() for _, cell in filled]
    if len(set(titles)) < _LEAST_COVERAGE * len(titles):
        return False
    if not all(_may_be_name(cell, [_at(each, column) for each in below]) for column, cell in filled):
        return False
    repeated = sum(
        any(title_of(_at(each, column)).casefold() == title for each in below)
        for (column, _), title in zip(filled, titles, strict=True)
    )
    return repeated * 2 < len(filled)


def _may_be_name(cell: CellContent, below: Sequence[CellContent]) -> bool:
    """Return whether the cell can be a column's name. A year or a date can, above cells that are neither."""
    if cell.error or isinstance(cell.value, bool):
        return False
    if cell.iso is not None:
        return not any(each.iso is not None for each in below)
    if isinstance(cell.value, int) and cell.value in _YEARS:
        return not any(isinstance(each.value, int) and each.value in _YEARS for each in below)
    return isinstance(cell.value, str) and not looks_numeric(cell.value) and len(cell.value) <= 3 * _LONGEST_NAME


def _at(row: Sequence[CellContent], column: int) -> CellContent:
    return row[column] if column < len(row) else CellContent()
