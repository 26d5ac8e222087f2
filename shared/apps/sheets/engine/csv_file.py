"""Load a CSV file: find its encoding and delimiter, and write its fields as typed values."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

import ironcalc

from shared.apps.sheets.addresses import MOST_COLUMNS, MOST_ROWS
from shared.apps.sheets.engine.book import Book
from shared.apps.sheets.engine.facts import SheetFacts
from shared.apps.sheets.engine.formats import serial_of
from shared.apps.sheets.engine.refusal import Unsupported

MOST_CELLS = 5_000_000
"""Cells of a workbook."""

DELIMITERS = ",;\t|"
"""The delimiters that are recognised."""

_SAMPLE = 64 * 1024  # characters that the delimiter is looked for in
_LONGEST_TEXT = 32_767  # characters of a cell, as in Excel
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+(?:[eE][-+]?[0-9]{1,2})?|[eE][-+][0-9]{1,2})?")
_COMMA_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14}),[0-9]+")
_COMMA_FIELD = re.compile(r'(?:^|;)"?-?[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})"?(?:;|$)', re.MULTILINE)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:([ T])(\d\d):(\d\d)(?::(\d\d))?)?")
_FIRST_DATE = date(1900, 3, 1)  # before it Excel's days are wrong


def load(path: Path) -> tuple[Book, list[str]]:
    """Return the workbook of a CSV file, and notes for people. Raises Unsupported."""
    text, encoding = decode(path.read_bytes())
    delimiter = find_delimiter(text[:_SAMPLE])
    model = ironcalc.create("workbook")
    facts = SheetFacts(1, model.get_worksheets_properties()[0]["name"])
    comma = delimiter == ";" and _COMMA_FIELD.search(text[:_SAMPLE]) is not None
    writer = _Writer(model, facts, comma=comma)
    csv.field_size_limit(1 << 30)
    try:
        for row, fields in enumerate(csv.reader(_lines(text), delimiter=delimiter), 1):
            writer.write_row(row, fields)
    except csv.Error as error:
        raise Unsupported(f"The CSV file cannot be read: {error}. Save it as CSV in UTF-8 again.") from error
    book = Book(model, [facts])
    book.mark_all(0)
    notes = [] if encoding == "utf-8" else [f"The file was read as {encoding}."]
    return book, [*notes, *writer.notes()]


def decode(content: bytes) -> tuple[str, str]:
    """Return the text of a CSV file and its encoding: by its byte order mark, else UTF-8, else UTF-16, else cp1252."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace"), encoding
    wide = utf_16_without_mark(content[:4096])
    if wide is not None:
        return content.decode(wide, errors="replace"), wide
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), "cp1252"


def utf_16_without_mark(sample: bytes) -> str | None:
    """Return the kind of UTF-16 that a sample is, by the zeros in every second byte; None if it is none."""
    if len(sample) < 4 or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > 0.4 * half and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd == 0 else None


def find_delimiter(sample: str) -> str:
    """Return the delimiter of a CSV file: the one that splits most lines into the same number of fields, above one."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        lines = sample.splitlines()
        if len(lines) > 1 and len(sample) >= _SAMPLE:
            lines.pop()  # it may be cut
        counts = [len(fields) for fields in csv.reader(lines[:200], delimiter=delimiter) if fields]
        if not counts:
            continue
        usual = max(set(counts), key=counts.count)
        if usual > 1:
            score = (counts.count(usual) / len(counts), usual)
            if score > best_score:
                best, best_score = delimiter, score
    return best


def typed(field: str, *, comma: bool = False) -> str | float | bool | None:
    """Return the value of a field; `comma` if numbers have a decimal comma.

    `00123`, `+1`, `1E5` and integers of more than 15 digits stay text, because as a number they would lose what they
    are: codes and account numbers.
    """
    if not field:
        return None
    if _NUMBER.fullmatch(field):
        return float(field)
    if comma and _COMMA_NUMBER.fullmatch(field):
        return float(field.replace(",", "."))
    if field in {"TRUE", "FALSE", "true", "false"}:
        return field.upper() == "TRUE"
    return field


def dated(field: str) -> tuple[float, str] | None:
    """Return the serial number and the number format of a field that is a date in ISO 8601; None if it is none."""
    found = _DATE.fullmatch(field)
    if found is None:
        return None
    year, month, day, separator, hour, minute, second = found.groups()
    try:
        clock = time(int(hour or 0), int(minute or 0), int(second or 0))
        moment = datetime.combine(date(int(year), int(month), int(day)), clock)
    except ValueError:
        return None
    if moment.date() < _FIRST_DATE:
        return None
    code = "yyyy-mm-dd"
    if separator:
        code += (" " if separator == " " else '"T"') + ("hh:mm:ss" if second else "hh:mm")
    return serial_of(moment), code


class _Writer:
    """Write rows to the engine's model, and remember which cells are dates."""

    def __init__(self, model: ironcalc.Model, facts: SheetFacts, *, comma: bool) -> None:
        self._model = model
        self._facts = facts
        self._comma = comma
        self._cells = 0
        self._cut = 0
        self._usual: dict[int, str] = {}
        self._plain_style = model.get_cell_style(0, 1, 1)

    def write_row(self, row: int, fields: list[str]) -> None:
        """Write the fields of a row. Raises Unsupported if there are too many rows, columns or cells."""
        self._cells += len(fields)
        if row > MOST_ROWS or len(fields) > MOST_COLUMNS or self._cells > MOST_CELLS:
            raise Unsupported(
                f"The file is too large: a sheet has at most {MOST_ROWS:,} rows, {MOST_COLUMNS:,} columns and "
                f"{MOST_CELLS:,} cells. Split it."
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


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends, of any kind."""
    start = 0
    for found in re.finditer(r"\r\n|\n|\r", text):
        yield text[start : found.end()]
        start = found.end()
    if start < len(text):
        yield text[start:]
