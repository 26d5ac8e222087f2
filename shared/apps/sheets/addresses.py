"""Cells and ranges in A1 notation: parse them, print them, and compute with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_ROWS = 1_048_576
"""Rows of a sheet in XLSX."""

MOST_COLUMNS = 16_384
"""Columns of a sheet in XLSX."""

_CELL = re.compile(r"\$?([A-Za-z]{1,3})\$?([1-9][0-9]{0,6})")


class BadAddress(ValueError):
    """The text is no address of a cell or range; the message says what would be valid."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """The position of a cell; rows and columns are counted from 1."""

    row: int
    column: int

    def __str__(self) -> str:
        return f"{column_name(self.column)}{self.row}"


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of cells, from its first cell to its last, both included."""

    first: Cell
    last: Cell

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}:{self.last}"

    @property
    def rows(self) -> int:
        return self.last.row - self.first.row + 1

    @property
    def columns(self) -> int:
        return self.last.column - self.first.column + 1

    @property
    def size(self) -> int:
        """Return how many cells the area has."""
        return self.rows * self.columns

    def __contains__(self, cell: Cell) -> bool:
        return self.first.row <= cell.row <= self.last.row and self.first.column <= cell.column <= self.last.column

    def cells(self) -> Iterator[Cell]:
        """Yield the cells row by row."""
        for row in range(self.first.row, self.last.row + 1):
            for column in range(self.first.column, self.last.column + 1):
                yield Cell(row, column)


def column_name(number: int) -> str:
    """Return the letters of a column, such as `AB` for 28."""
    letters = ""
    while number:
        number, remainder = divmod(number - 1, 26)
        letters = chr(ord("A") + remainder) + letters
    return letters


def column_number(letters: str) -> int:
    """Return the number of a column from its letters. Raises BadAddress beyond XFD."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    if not 1 <= number <= MOST_COLUMNS:
        raise BadAddress(f"{letters} is no column; the last column is {column_name(MOST_COLUMNS)}")
    return number


def parse_cell(text: str) -> Cell:
    """Return the cell of an address such as `B3` or `$B$3`. Raises BadAddress."""
    found = _CELL.fullmatch(text.strip())
    if found is None:
        raise BadAddress(f"{text[:40]!r} is no cell; write a cell as B3")
    row = int(found[2])
    if row > MOST_ROWS:
        raise BadAddress(f"row {row} does not exist; the last row is {MOST_ROWS}")
    return Cell(row, column_number(found[1]))


def parse_area(text: str) -> Area:
    """Return the area of a range such as `A1:C9`, or of one cell. Corners may be in any order. Raises BadAddress."""
    first, separator, last = text.strip().partition(":")
    try:
        start = parse_cell(first)
        end = parse_cell(last) if separator else start
    except BadAddress as error:
        if _CELL.fullmatch(first.strip()) is None or separator:
            raise BadAddress(f"{text[:40]!r} is no range; write a range as A1:C9 ({error})") from error
        raise
    return Area(
        Cell(min(start.row, end.row), min(start.column, end.column)),
        Cell(max(start.row, end.row), max(start.column, end.column)),
    )
