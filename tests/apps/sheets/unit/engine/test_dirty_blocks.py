"""After any changes the stored blocks are those of the workbook, and moved rows and columns are where they belong."""

from __future__ import annotations

from typing import Any

import ironcalc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.apps.sheets.engine import changes
from shared.apps.sheets.engine.book import Book
from shared.apps.sheets.engine.facts import SheetFacts, cell_at, position
from shared.apps.sheets.engine.formulas import Shift
from shared.apps.sheets.engine.refusal import Refused

pytestmark = pytest.mark.no_cover

ROWS, COLUMNS = 12, 5

VALUES = st.one_of(
    st.none(),
    st.integers(-5, 50),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.booleans(),
    st.sampled_from(
        ["x", "00123", "=1+1", "2024-01-05", "#REF!", "TRUE", "'q", "-3", "+4", "1e5", "a\nb", "50%", "$3"]
    ),
)
CELLS = st.builds(
    lambda row, column: str(cell_at(position(row, column))), st.integers(1, ROWS), st.integers(1, COLUMNS)
)
RANGES = st.builds(lambda first, last: f"{first}:{last}", CELLS, CELLS)
FORMULAS = st.one_of(
    CELLS.map(lambda cell: f"={cell}+1"),
    RANGES.map(lambda area: f"=SUM({area})"),
    st.sampled_from(["=MAX(B:B)", "=1/0", "=SEQUENCE(2,2)", "=A1&B2", "=TRANSPOSE(A1:B2)", "=$A$1*2", "=COUNTA(A:C)"]),
)


def operation(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: st.just(field) if isinstance(field, str) else field for name, field in fields.items()}
    )


WRITES = st.lists(
    st.one_of(
        operation(at=CELLS, value=VALUES, formula=st.none()), operation(at=CELLS, value=st.none(), formula=FORMULAS)
    ),
    max_size=4,
)
STRUCTURE = operation(
    op="change_structure",
    sheet="Sheet1",
    action=st.sampled_from(["insert_rows", "delete_rows", "insert_columns", "delete_columns"]),
    at=st.integers(1, 8),
    count=st.integers(1, 3),
)
CHANGES = st.one_of(
    operation(op="write_cells", sheet="Sheet1", cells=WRITES),
    operation(
        op="write_values", sheet="Sheet1", start=CELLS, values=st.lists(st.lists(VALUES, max_size=3), max_size=3)
    ),
    operation(op="fill_formula", sheet="Sheet1", range=RANGES, formula=FORMULAS),
    operation(op="clear_range", sheet="Sheet1", range=RANGES),
    STRUCTURE,
    operation(op="set_number_format", sheet="Sheet1", range=RANGES, format=st.sampled_from(["0.00", "yyyy-mm-dd"])),
    st.permutations(range(3)).map(
        lambda order: {"op": "reorder_rows", "sheet": "Sheet1", "range": "A2:D4", "order": list(order)}
    ),
    operation(
        op="manage_sheet",
        action=st.sampled_from(["add", "duplicate", "rename", "delete"]),
        sheet=st.sampled_from(["Sheet1", "Other"]),
        new_name=st.sampled_from(["Other", "Sheet1", "It's"]),
    ),
)


def a_book(frozen: dict[int, str] | None = None) -> Book:
    facts = SheetFacts(1, "Sheet1", frozen=frozen or {})
    return Book(ironcalc.create("book"), [facts])


def blocks(book: Book) -> list[tuple[str, dict[tuple[int, int], str]]]:
    book.encode_dirty()
    return [(facts.name, {start: stored.digest for start, stored in facts.blocks.items()}) for facts in book.sheets]


def written_again(book: Book) -> list[tuple[str, dict[tuple[int, int], str]]]:
    """Return the blocks of the workbook, all encoded from the engine."""
    for index, facts in enumerate(book.sheets):
        facts.blocks.clear()
        book.mark_all(index)
    return blocks(book)


def computed(book: Book) -> set[tuple[str, str]]:
    """Return the cells that the engine computes, by what the engine says."""
    return {
        (book.sheets[index].name, str(cell_at(position(row, column))))
        for index, row, column in book.model.get_all_cells()
        if book.model.get_cell_formula(index, row, column) is not None
    }


@example(
    [
        [
            {"op": "write_cells", "sheet": "Sheet1", "cells": [{"at": "A1", "value": 0, "formula": None}]},
            {"op": "manage_sheet", "action": "duplicate", "sheet": "Sheet1", "new_name": "Other"},
        ]
    ]
)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CHANGES, min_size=1, max_size=3), min_size=1, max_size=6))
def test_blocks_and_facts_follow_every_change(steps: list[list[dict[str, Any]]]) -> None:
    book = a_book()
    for ops in steps:
        before = blocks(book)
        try:
            changes.apply(book, ops)
        except Refused:
            assert blocks(book) == before
        assert {(facts.name, str(cell_at(place))) for facts in book.sheets for place in facts.formulas} == computed(
            book
        )
        incremental = blocks(book)
        opened = Book.of_snapshot(book.snapshot())
        assert written_again(book) == incremental
        assert written_again(opened) == incremental


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.tuples(st.integers(1, ROWS), st.integers(1, COLUMNS)), VALUES, max_size=20),
    st.lists(STRUCTURE, min_size=1, max_size=5),
)
def test_inserting_and_deleting_moves_values_and_frozen_cells(
    values: dict[tuple[int, int], Any], steps: list[dict[str, Any]]
) -> None:
    cells = {place: value for place, value in values.items() if value not in (None, "")}
    frozen = {position(*place): f"=OLD({number})" for number, place in enumerate(cells) if number % 3 == 0}
    book = a_book(frozen)
    for (row, column), value in cells.items():
        changes.write_value(book.model, 0, position(row, column), value)
    book.mark_all(0)

    for op in steps:
        changes.apply(book, [op])
        shift = shift_of(op)
        cells = {moved: value for place, value in cells.items() if (moved := moved_by(shift, place)) is not None}
        frozen = {
            position(*moved): text
            for place, text in frozen.items()
            if (moved := moved_by(shift, (place // 16_384, place % 16_384 + 1))) is not None
        }

    assert book.sheets[0].frozen == frozen
    found = {
        (row, column): book.model.get_cell_value(0, row, column)
        for _, row, column in book.model.get_all_cells()
        if not book.model.is_empty_cell(0, row, column)
    }
    assert found == cells
    assert {place: type(value) is str for place, value in found.items()} == {
        place: type(value) is str for place, value in cells.items()
    }


def shift_of(op: dict[str, Any]) -> Shift:
    insert = op["action"].startswith("insert")
    return Shift("Sheet1", op["action"].endswith("rows"), op["at"], op["count"] if insert else -op["count"])


def moved_by(shift: Shift, place: tuple[int, int]) -> tuple[int, int] | None:
    """Move a cell, written out the long way."""
    row, column = place
    number = row if shift.rows else column
    if number >= shift.at:
        if shift.count < 0 and number < shift.at - shift.count:
            return None
        number += shift.count
    return (number, column) if shift.rows else (row, number)
