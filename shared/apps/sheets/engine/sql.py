"""Run SELECTs over the sheets in SQLite, which can read nothing else and write nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from time import monotonic
from typing import Any

from shared.apps.sheets.addresses import Cell
from shared.apps.sheets.cells import CellJson, Scalar, cell_of
from shared.apps.sheets.engine.book import MOST_DENSE, Book
from shared.apps.sheets.engine.facts import SheetFacts
from shared.apps.sheets.engine.refusal import Refused
from shared.apps.sheets.headers import ROWS_TO_LOOK_AT, column_names, find_header

_LONGEST_QUERY = 20_000  # characters
_MOST_RESULT = 2_000_000  # characters of a result in JSON
_MOST_COLUMNS = 1_998  # of a table, besides _row; SQLite takes 2,000
_HEAP = 500_000_000  # bytes
_PART_OF_TIME = 0.8  # after it the query is stopped, so that the process need not be
_LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 4 * _LONGEST_QUERY,
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_REFUSED_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "randomblob", "zeroblob"}
_RULE = "Write one SELECT over the sheets: each is a table by its name in double quotes, with _row as the row number."


def run(book: Book, query: str, limit: int, seconds: float) -> dict[str, Any]:
    """Return the columns and at most `limit` rows of a SELECT.

    Raises Refused (SQL_ERROR, SQL_REFUSED, CALCULATION_TOO_SLOW).
    """
    if len(query) > _LONGEST_QUERY:
        raise Refused("SQL_REFUSED", f"the query has {len(query):,} characters; {_LONGEST_QUERY:,} are possible")
    book.encode_dirty()
    database = _Database(book, monotonic() + seconds * _PART_OF_TIME)
    try:
        return database.run(query, limit)
    finally:
        database.close()


class _Database:
    """A database in memory. A sheet becomes a table when a query first names it."""

    def __init__(self, book: Book, deadline: float) -> None:
        self._book = book
        self._deadline = deadline
        self._tables: set[str] = set()
        self._denied: str | None = None
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute(f"PRAGMA hard_heap_limit={_HEAP}")
        self._connection.execute("PRAGMA temp_store=2")
        self._connection.execute("PRAGMA trusted_schema=OFF")
        for limit, value in _LIMITS.items():
            self._connection.setlimit(limit, value)
        self._connection.set_progress_handler(self._is_late, 20_000)

    def close(self) -> None:
        self._connection.close()

    def run(self, query: str, limit: int) -> dict[str, Any]:
        while True:
            self._denied = None
            self._connection.set_authorizer(self._authorize)
            try:
                return self._result(query, limit)
            except sqlite3.Error as error:
                name = str(error).removeprefix("no such table: ").removeprefix("main.")
                if name == str(error) or not self._add_table(name):
                    raise self._refusal(error) from error
            except (MemoryError, UnicodeError) as error:
                raise Refused("SQL_REFUSED", "the query needs too much memory", "Group or filter the rows.") from error

    def _result(self, query: str, limit: int) -> dict[str, Any]:
        cursor = self._connection.execute(query)
        if cursor.description is None:
            raise Refused("SQL_REFUSED", "the query returns nothing: only a SELECT is run", _RULE)
        rows: list[list[Scalar]] = []
        size = 0
        truncated = False
        for row in cursor:
            values = list(map(_scalar, row))
            size += len(json.dumps(values))
            if len(rows) == limit or size > _MOST_RESULT:
                truncated = True
                break
            rows.append(values)
        return {"columns": [column[0] for column in cursor.description], "rows": rows, "truncated": truncated}

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        allowed = action in _ALLOWED
        if action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() not in _REFUSED_FUNCTIONS
        if action == sqlite3.SQLITE_READ and first is not None:
            allowed = not first.lower().startswith(("sqlite_", "pragma_", "dbstat", "bytecode", "tables_used"))
        if not allowed:
            self._denied = second or first or "this statement"
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    def _is_late(self) -> int:
        return int(monotonic() > self._deadline)

    def _refusal(self, error: sqlite3.Error) -> Refused:
        text = str(error)
        if "interrupted" in text:
            return Refused(
                "CALCULATION_TOO_SLOW", "the query was stopped, because it takes too long", "Join or read less."
            )
        if self._denied is not None or "authorized" in text or "one statement" in text or "prohibited" in text:
            return Refused("SQL_REFUSED", f"the query may only read the sheets: {text}", _RULE)
        if "no such table" in text or "no such column" in text:
            return Refused("SQL_ERROR", text, self._names())
        return Refused("SQL_ERROR", text, _RULE)

    def _names(self) -> str:
        """Return the tables and their columns, as far as a message can say them."""
        tables = [
            f'"{facts.name}" ({", ".join(_columns(self._book, index)[0][:30])})' for index, facts in self._first()
        ]
        return "The tables are: " + "; ".join(tables) + "."

    def _first(self) -> list[tuple[int, SheetFacts]]:
        return list(enumerate(self._book.sheets))[:5]

    def _add_table(self, name: str) -> bool:
        """Make a table of the sheet. Return false if there is no such sheet, or its table is there already."""
        for index, facts in enumerate(self._book.sheets):
            if facts.name.lower() == name.lower() and facts.name not in self._tables:
                self._tables.add(facts.name)
                self._connection.set_authorizer(None)
                if facts.last_row * facts.last_column > MOST_DENSE:
                    raise Refused(
                        "SQL_REFUSED", f"{facts.name!r} is too wide and long for a query", "Read ranges of it."
                    )
                columns, first_row = _columns(self._book, index)
                quoted = ", ".join(_quoted(column) for column in columns)
                self._connection.execute(f"CREATE TABLE {_quoted(facts.name)} ({quoted})")
                places = ", ".join("?" * len(columns))
                insert = f"INSERT INTO {_quoted(facts.name)} VALUES ({places})"  # noqa: S608 - names are quoted
                self._connection.execute("BEGIN")
                self._connection.executemany(insert, _rows(self._book, index, first_row, len(columns)))
                self._connection.execute("COMMIT")
                return True
        return False


def _columns(book: Book, index: int) -> tuple[list[str], int]:
    """Return the names of a sheet's columns, `_row` first, and the first row below the header row."""
    facts = book.sheets[index]
    width = min(facts.last_column, _MOST_COLUMNS)
    top = book.rows(index, Cell(1, 1), Cell(min(ROWS_TO_LOOK_AT + 20, facts.last_row), max(width, 1)))
    rows = [[cell_of(cell) for cell in row] for row in top]
    header = find_header(rows)
    names = column_names(None if header is None else rows[header], width)
    taken = {"_row"}
    unique: list[str] = ["_row"]
    for name in names:
        free = name
        while free.casefold() in taken:
            free += "_"
        taken.add(free.casefold())
        unique.append(free)
    return unique, 1 if header is None else header + 2


def _rows(book: Book, index: int, first_row: int, width: int) -> Iterator[list[Scalar]]:
    facts = book.sheets[index]
    last = Cell(facts.last_row, min(facts.last_column, width - 1))
    for number, row in enumerate(book.rows(index, Cell(first_row, 1), last), first_row):
        if row:
            values: list[Scalar] = [number, *map(_value, row)]
            values.extend([None] * (width - len(values)))
            yield values


def _value(cell: CellJson) -> Scalar:
    """Return what a query sees of a cell: a date in ISO 8601, nothing of an error."""
    if isinstance(cell, dict):
        value: Scalar = None if cell.get("error") else cell.get("iso", cell["value"])
        return value
    return cell


def _scalar(value: Any) -> Scalar:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return None
    return value  # type: ignore[no-any-return]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
