"""The guess which row of a sheet names its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.headers import column_names, find_header, looks_numeric


def rows_of(*rows: Sequence[Any]) -> list[list[CellContent]]:
    return [[each if isinstance(each, CellContent) else CellContent(each) for each in row] for row in rows]


def date(text: str) -> CellContent:
    return CellContent(45_000, iso=text)


DATA: tuple[Sequence[Any], ...] = (("North", 12, 3.5), ("South", 7, 4.0), ("East", 9, 1.25))


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        pytest.param([("Region", "Units", "Price"), *DATA], 0, id="the first row"),
        pytest.param([(), ("Region", "Units", "Price"), *DATA], 1, id="below an empty row"),
        pytest.param([("Sales 2026", None, None), (), ("Region", "Units", "Price"), *DATA], 2, id="below a title"),
        pytest.param(
            [
                ("Exported on 2026-03-01", None, None),
                ("by", "Ann", None),
                (),
                ("Region", "Units", "Price"),
                *DATA,
                *DATA,
            ],
            3,
            id="below a note of two cells",
        ),
        pytest.param(
            [("2026", None, "2025", None, None), ("Region", "Units", "Price", "Sold", "Left"), ("N", 1, 2, 3, 4)],
            1,
            id="below merged group titles",
        ),
        pytest.param([*DATA], None, id="no header row"),
        pytest.param([("Region", 2024, 2025), *DATA], 0, id="years as names"),
        pytest.param([("Region", date("2026-01-01"), date("2026-02-01")), *DATA], 0, id="months as names"),
        pytest.param([("2026-01-01", 2024, 1), ("2026-01-02", 2025, 2)], None, id="a column of years"),
        pytest.param([(date("2026-01-01"), "a"), (date("2026-01-02"), "b")], None, id="a column of dates"),
        pytest.param([("Name", "City"), ("Ann", "Oslo"), ("Ben", "Bonn")], 0, id="texts only"),
        pytest.param([("Oslo", "x"), ("Oslo", "x"), ("Oslo", "y")], None, id="texts that come again below"),
        pytest.param([("Code", "Units"), ("007", "12"), ("008", "9")], 0, id="numbers as text below"),
        pytest.param([("007", "12"), ("008", "9")], None, id="numbers as text"),
        pytest.param([(None, "Item", "Units"), (0, "a", 5), (1, "b", 6)], 0, id="without a name for the index"),
        pytest.param(
            [("Name", "City", None), ("Ann", "Oslo", "x"), ("Ben", "Bonn", "y")], 0, id="texts, one name missing"
        ),
        pytest.param([("Item", "Units"), ("a", 5), ("b", 6), ("c", 7, "a remark", "and one more")], 0, id="a remark"),
        pytest.param([("Name",), ("Ann",), ("Ben",)], 0, id="one column"),
        pytest.param([(1,), (2,)], None, id="one column of numbers"),
        pytest.param([("Note", "Amount"), (None, 5), ("late", 6)], 0, id="gaps below"),
        pytest.param([("Only a header", "row")], None, id="nothing below"),
        pytest.param([], None, id="an empty sheet"),
        pytest.param([(True, "a"), (False, "b")], None, id="booleans"),
        pytest.param([(CellContent("#REF!", error=True), "a"), ("x", "b")], None, id="an error"),
        pytest.param(
            [(None, "Region", "Units"), (None, "North", 3), (None, "South", 4)], 0, id="an empty first column"
        ),
    ],
)
def test_the_header_row_is_found(rows: list[Sequence[Any]], header: int | None) -> None:
    assert find_header(rows_of(*rows)) == header


def test_a_header_row_below_many_rows_of_notes_is_found() -> None:
    notes = [("Please read",)] * 12
    assert find_header(rows_of(*notes, ("Region", "Units", "Price"), *DATA)) == 12


def test_columns_without_a_name_are_called_by_their_letters() -> None:
    header = rows_of(("Region", None, "  Unit\n price "))[0]
    assert column_names(header, 4, first=2) == ("Region", "C", "Unit price", "E")
    assert column_names(None, 2) == ("A", "B")


def test_a_name_that_comes_again_gets_a_number() -> None:
    assert column_names(rows_of(("Total", "total", "Total"))[0], 3) == ("Total", "total_2", "Total_3")


def test_a_long_name_is_cut() -> None:
    assert column_names(rows_of(("x" * 300,))[0], 1) == ("x" * 80,)


@pytest.mark.parametrize("text", ["12", "-1,204.50", "12 %", "€ 9", "+3", "1 000"])
def test_texts_that_are_written_like_numbers(text: str) -> None:
    assert looks_numeric(text)


@pytest.mark.parametrize("text", ["", "Q1", "12 pieces", "2026-01-01", "n/a", "."])
def test_texts_that_are_not(text: str) -> None:
    assert not looks_numeric(text)
