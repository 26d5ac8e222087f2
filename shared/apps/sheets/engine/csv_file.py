"""Load a CSV file: its fields become typed values."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import ironcalc

from shared.apps.sheets.addresses import MOST_COLUMNS, MOST_ROWS
from shared.apps.sheets.engine import limits
from shared.apps.sheets.engine.book import Book
from shared.apps.sheets.engine.csv_text import (
    SAMPLE,
    dated,
    decode,
    delimiter_of,
    has_decimal_commas,
    lines_of,
    typed,
)
from shared.apps.sheets.engine.facts import SheetFacts
from shared.apps.sheets.engine.refusal import Unsupported

_LONGEST_TEXT = 32_767  # characters of a cell, as in Excel


def load(path: Path) -> tuple[Book, list[str]]:
    """Return the workbook of a CSV file, and notes for people. Raises Unsupported."""
    text, encoding = decode(path.read_bytes())
    delimiter, text = delimiter_of(text)
    model = ironcalc.create("workbook")
    facts = SheetFacts(1, model.get_worksheets_properties()[0]["name"])
    writer = _Writer(model, facts, comma=has_decimal_commas(text[:SAMPLE], delimiter))
    try:
        for row, fields in enumerate(csv.reader(lines_of(text), delimiter=delimiter), 1):
            writer.write_row(row, fields)
    except csv.Error as error:
        raise Unsupported(f"The CSV file cannot be read: {error}. Save it as CSV in UTF-8 again.") from error
    book = Book(model, [facts])
    book.mark_all(0)
    notes = [] if encoding == "utf-8" else [f"The file was read as {encoding}."]
    return book, [*notes, *writer.notes()]


class _DifferentTexts:
    """Count different texts in little memory: two of them are taken for one in about four of a hundred cases."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << 23)
        self._count = 0

    def add(self, text: str) -> None:
        """Count a text. Raises Unsupported if there are too many."""
        place, bit = divmod(zlib.crc32(text.encode("utf-8", errors="replace")) & 0x3FFFFFF, 8)
        if self._bits[place] >> bit & 1:
            return
        self._bits[place] |= 1 << bit
        self._count += 1
        if self._count > limits.MOST_TEXTS:
            raise Unsupported(
                f"The file has more than {limits.MOST_TEXTS:,} different texts, which need more memory than a workbook "
                "has. Split it, or leave out a column whose texts are different in each row."
            )


class _Writer:
    """Write rows to the engine's model, and remember which cells are dates."""

    def __init__(self, model: ironcalc.Model, facts: SheetFacts, *, comma: bool) -> None:
        self._model = model
        self._facts = facts
        self._comma = comma
        self._cells = 0
        self._cut = 0
        self._usual: dict[int, str] = {}
        self._texts = _DifferentTexts()
        self._plain_style = model.get_cell_style(0, 1, 1)

    def write_row(self, row: int, fields: list[str]) -> None:
        """Write the fields of a row. Raises Unsupported if there are too many rows, columns or cells."""
        self._cells += len(fields)
        if row > MOST_ROWS or len(fields) > MOST_COLUMNS or self._cells > limits.MOST_CELLS:
            raise Unsupported(
                f"The file is too large: a sheet has at most {MOST_ROWS:,} rows, {MOST_COLUMNS:,} columns and "
                f"{limits.MOST_CELLS:,} cells. Split it."
            )
        for column, field in enumerate(fields, 1):
            if field:
                self._write(row, column, field)

    def _write(self, row: int, column: int, field: str) -> None:
        value = typed(field, comma=self._comma)
        if isinstance(value, bool):
            self._model.update_cell_with_bool(0, row, column, value)
        elif isinstance(value, float):
            self._write_number(row, column, value, None)
        elif (moment := dated(field)) is not None:
            self._write_number(row, column, *moment)
        else:
            self._cut += len(field) > _LONGEST_TEXT
            self._texts.add(field)
            self._model.update_cell_with_text(0, row, column, field[:_LONGEST_TEXT])

    def _write_number(self, row: int, column: int, value: float, code: str | None) -> None:
        """Write a number, which takes over the style of its column: that of the column's first date."""
        if code is not None:
            self._append_run(column, row, code)
            if column not in self._usual:
                self._usual[column] = code
                self._model.set_column_style(0, column, {**self._plain_style, "num_fmt": code})
        self._model.update_cell_with_number(0, row, column, value)
        if self._usual.get(column) != code:
            self._model.set_cell_style(0, row, column, {**self._plain_style, "num_fmt": code or "general"})

    def _append_run(self, column: int, row: int, code: str) -> None:
        runs = self._facts.formats.setdefault(column, [])
        if runs and runs[-1][2] == code and runs[-1][1] + 1 == row:
            runs[-1] = (runs[-1][0], row, code)
        else:
            runs.append((row, row, code))

    def notes(self) -> list[str]:
        """Return notes for people."""
        cut = f"{self._cut} texts were longer than {_LONGEST_TEXT:,} characters and were cut." if self._cut else ""
        return [cut] if cut else []
