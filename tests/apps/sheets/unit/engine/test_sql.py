"""A query reads the sheets, and nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import ironcalc
import pytest

from shared.apps.sheets.engine import changes, sql
from shared.apps.sheets.engine.book import Book
from shared.apps.sheets.engine.facts import SheetFacts
from shared.apps.sheets.engine.refusal import Refused

SECONDS = 60.0


@pytest.fixture(scope="module")
def book() -> Book:
    book = Book(ironcalc.create("book"), [SheetFacts(1, "Sheet1")])
    rows = [
        ["Region", "When", "Units", "Paid"],
        ["North", 45_000, 3, True],
        ["South", 45_001, 4, False],
        ["North", None, 5, None],
    ]
    changes.apply(
        book,
        [
            {"op": "manage_sheet", "action": "add", "sheet": 'My "own" sheet', "new_name": None},
            {"op": "write_values", "sheet": "Sheet1", "start": "A1", "values": [["A report of sales"], [], *rows]},
            {"op": "write_values", "sheet": 'My "own" sheet', "start": "A1", "values": [[1, 2], [3, 4]]},
            {"op": "set_number_format", "sheet": "Sheet1", "range": "B4:B6", "format": "yyyy-mm-dd"},
            {"op": "write_cells", "sheet": "Sheet1", "cells": [{"at": "D6", "value": None, "formula": "=1/0"}]},
        ],
    )
    return book


def run(book: Book, query: str, limit: int = 100) -> dict[str, Any]:
    return sql.run(book, query, limit, SECONDS)


def test_columns_have_the_names_of_the_header_row(book: Book) -> None:
    found = run(book, 'SELECT _row, region, "when", units, paid FROM sheet1')

    assert found == {
        "columns": ["_row", "Region", "When", "Units", "Paid"],
        "rows": [[4, "North", "2023-03-15", 3, 1], [5, "South", "2023-03-16", 4, 0], [6, "North", None, 5, None]],
        "truncated": False,
    }


def test_a_sheet_without_header_row_has_letters(book: Book) -> None:
    assert run(book, 'SELECT a + b FROM "My ""own"" sheet" WHERE _row > 1')["rows"] == [[7]]


def test_joins_common_tables_and_aggregates(book: Book) -> None:
    query = (
        "WITH totals AS (SELECT region, sum(units) AS units FROM sheet1 GROUP BY region) "
        "SELECT t.region, t.units, count(*) FROM totals t JOIN sheet1 s ON s.region = t.region GROUP BY 1 ORDER BY 1"
    )
    assert run(book, query)["rows"] == [["North", 8, 2], ["South", 4, 1]]


def test_more_rows_than_the_limit_are_cut(book: Book) -> None:
    found = run(book, "SELECT units FROM sheet1", 2)

    assert (len(found["rows"]), found["truncated"]) == (2, True)


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH 'x.db' AS y",
        "PRAGMA table_info(sheet1)",
        "UPDATE sheet1 SET units = 1",
        "INSERT INTO sheet1 SELECT * FROM sheet1",
        "DELETE FROM sheet1",
        "CREATE TABLE z (a)",
        "DROP TABLE sheet1",
        "BEGIN",
        "VACUUM INTO 'x.db'",
        "SELECT load_extension('x')",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pragma_table_info('sheet1')",
        "SELECT zeroblob(999999999)",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE sheet1",
        "SELECT " + "1 + " * 6000 + "1",
        "",
        "-- nothing",
    ],
)
def test_anything_but_a_select_over_sheets_is_refused(book: Book, query: str) -> None:
    with pytest.raises(Refused) as refused:
        run(book, query)

    assert refused.value.code == "SQL_REFUSED"
    assert run(book, "SELECT count(*) FROM sheet1")["rows"] == [[3]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT nope FROM sheet1", 'tables are: "Sheet1" (_row, Region, When'),
        ("SELECT * FROM nope", "tables are"),
        ("SELEC 1", "syntax error"),
        ("SELECT '" + "a" * 10 + "\ud800'", ""),
        ("SELECT 1 \0", ""),
    ],
)
def test_a_wrong_query_is_told_what_there_is(book: Book, query: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        run(book, query)

    assert refused.value.code in {"SQL_ERROR", "SQL_REFUSED"}
    assert words in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM " + ", ".join(f"sheet1 {letter}" for letter in "abcdefghijklmnopqrst"),
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    ],
)
def test_an_endless_query_is_stopped(book: Book, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "monotonic", itertools.count(0.0, 1.0).__next__)

    with pytest.raises(Refused) as refused:
        run(book, query)

    assert refused.value.code == "CALCULATION_TOO_SLOW"


def test_a_large_result_is_cut(book: Book) -> None:
    query = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT printf('%.*c', 90000, 'x') FROM r"

    found = run(book, query, 1000)

    assert found["truncated"]
    assert sum(len(row[0]) for row in found["rows"]) <= 2_000_000
