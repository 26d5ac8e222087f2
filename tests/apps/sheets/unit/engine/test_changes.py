"""Bad changes are refused with what to do, and leave the workbook as it was."""

from __future__ import annotations

from typing import Any

import ironcalc
import pytest

from shared.apps.sheets.engine import changes
from shared.apps.sheets.engine.book import Book
from shared.apps.sheets.engine.facts import SheetFacts, position
from shared.apps.sheets.engine.refusal import Refused


def a_book() -> Book:
    book = Book(ironcalc.create("book"), [SheetFacts(1, "Sheet1")])
    changes.apply(book, [{"op": "write_values", "sheet": "Sheet1", "start": "A1", "values": [[1, 2], [3, 4]]}])
    return book


def write(at: str, value: Any = None, formula: str | None = None) -> dict[str, Any]:
    return {"op": "write_cells", "sheet": "Sheet1", "cells": [{"at": at, "value": value, "formula": formula}]}


def structure(action: str, at: int, count: int) -> dict[str, Any]:
    return {"op": "change_structure", "sheet": "Sheet1", "action": action, "at": at, "count": count}


def sheet(action: str, name: str, new_name: str | None = None) -> dict[str, Any]:
    return {"op": "manage_sheet", "action": action, "sheet": name, "new_name": new_name}


def fill(area: str, formula: str) -> dict[str, Any]:
    return {"op": "fill_formula", "sheet": "Sheet1", "range": area, "formula": formula}


def a_format(code: str) -> dict[str, Any]:
    return {"op": "set_number_format", "sheet": "Sheet1", "range": "A1:B2", "format": code}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no column ZZZ": (write("ZZZ9", 1), "BAD_RANGE", "last column"),
    "no row 0": (write("A0", 1), "BAD_RANGE", "write a cell as B3"),
    "an unknown sheet": ({**write("A1", 1), "sheet": "Nope"}, "UNKNOWN_SHEET", "Sheet1"),
    "a long text": (write("A1", "x" * 40_000), "BAD_VALUE", "40,000"),
    "half a character": (write("A1", "\ud800"), "BAD_VALUE", "surrogate"),
    "a number too large": (write("A1", 10**400), "BAD_VALUE", "1.8e308"),
    "not a number": (write("A1", float("nan")), "BAD_VALUE", "number"),
    "two million cells": (fill("A1:T100000", "=1"), "RANGE_TOO_LARGE", "200,000"),
    "values beyond the sheet": (
        {"op": "write_values", "sheet": "Sheet1", "start": "XFD1", "values": [[1, 2]]},
        "BAD_RANGE",
        "beyond",
    ),
    "no formula": (write("A1", formula="1+1"), "FORMULA_UNREADABLE", "begins with ="),
    "an empty formula": (write("A1", formula="= "), "FORMULA_UNREADABLE", "no formula"),
    "an unfinished formula": (write("C1", formula="=A1+"), "FORMULA_UNREADABLE", "cannot read"),
    "something behind a formula": (write("C1", formula="=A1 B1 junk"), "FORMULA_UNREADABLE", "cannot read"),
    "an unknown table": (write("C1", formula="=T1[[#This Row],[price]]*2"), "FORMULA_UNREADABLE", "cannot read"),
    "an open parenthesis": (write("C1", formula="=SUM(A1"), "FORMULA_UNREADABLE", "not closed"),
    "an open text": (write("C1", formula='="a'), "FORMULA_UNREADABLE", "closing quote"),
    "a deep formula": (
        write("C1", formula="=" + "(" * 2000 + "1" + ")" * 2000),
        "FORMULA_UNREADABLE",
        "64 parentheses",
    ),
    "a long formula": (write("C1", formula='="' + "x" * 9000 + '"'), "FORMULA_UNREADABLE", "8192"),
    "an unknown function": (write("C1", formula="=NOSUCH(A1)+SUM(A1)"), "FORMULA_UNSUPPORTED", "no function NOSUCH"),
    "another file": (write("C1", formula="='[b.xlsx]S'!A1"), "FORMULA_REFUSED", "another file"),
    "a numbered file": (write("C1", formula="=[1]S!A1"), "FORMULA_REFUSED", "another file"),
    "a program": (write("C1", formula="=cmd|'/c calc'!A1"), "FORMULA_REFUSED", "program"),
    "a web service": (write("C1", formula='=WEBSERVICE("http://x")'), "FORMULA_REFUSED", "WEBSERVICE"),
    "a hidden web service": (write("C1", formula='=_xlfn.WEBSERVICE("http://x")'), "FORMULA_REFUSED", "WEBSERVICE"),
    "a sheet that is not there": (write("C1", formula="=Other!A1"), "UNKNOWN_SHEET", "'Other'"),
    "a circle": (write("C1", formula="=C1+1"), "CIRCULAR", "Sheet1!C1"),
    "a circle over cells": (fill("C1:D2", "=SUM($C$1:$D$2)"), "CIRCULAR", "depend on itself"),
    "an order with a gap": (
        {"op": "reorder_rows", "sheet": "Sheet1", "range": "A1:B2", "order": [0, 2]},
        "BAD_RANGE",
        "each of the 2 rows",
    ),
    "rows that are none": ({"op": "hide_rows", "sheet": "Sheet1", "rows": [(5, 2)]}, "BAD_RANGE", "no rows"),
    "rows pushed out": (structure("insert_rows", 1, 1_048_576), "RANGE_TOO_LARGE", "out of the sheet"),
    "columns beyond the last": (structure("delete_columns", 16_384, 2), "BAD_RANGE", "16,384 columns"),
    "the only sheet": (sheet("delete", "Sheet1"), "CONFLICT", "only sheet"),
    "a name that is taken": (sheet("add", "sheet1"), "CONFLICT", "already"),
    "a name with a slash": (sheet("rename", "Sheet1", "a/b"), "BAD_VALUE", "none of"),
    "a long name": (sheet("rename", "Sheet1", "x" * 32), "BAD_VALUE", "31 characters"),
    "no name": (sheet("rename", "Sheet1", ""), "BAD_VALUE", "1 to 31"),
    "no format": (a_format("\x00"), "BAD_VALUE", "no number format"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_change_is_refused_and_changes_nothing(name: str) -> None:
    op, code, words = REFUSED[name]
    book = a_book()
    before = book.scan(frozenset())[0]

    with pytest.raises(Refused) as refused:
        changes.apply(book, [write("A1", "not kept"), op])

    assert refused.value.code == code
    assert words in f"{refused.value.message} {refused.value.hint}"
    assert book.scan(frozenset())[0] == before


def test_values_stay_what_they_are() -> None:
    book = a_book()
    values = ["=1+1", "00123", "2024-01-05", "TRUE", "#REF!", "'quoted", "a\nb", 1.0, True, 0.1, -0.0, "x" * 32_767]

    changes.apply(book, [{"op": "write_values", "sheet": "Sheet1", "start": "D1", "values": [values]}])

    found = [book.value(0, position(1, column)) for column in range(4, 4 + len(values))]
    assert found == values
    assert not any(book.is_error(0, position(1, column), book.value(0, position(1, column))) for column in range(4, 16))


def test_a_large_result_is_an_error_in_its_cell() -> None:
    applied = changes.apply(a_book(), [write("C1", formula="=1E+308*10")])

    assert [cell[3]["value"] for cell in applied["errors_introduced"]] == ["#NUM!"]


def test_a_spilled_formula_is_reported_with_all_its_cells() -> None:
    book = a_book()

    applied = changes.apply(book, [write("D1", formula="=SEQUENCE(3,2)")])
    blocked = changes.apply(book, [write("E3", 9)])

    assert applied["changed"] == [("Sheet1", "D1:E3", 6)]
    assert [cell[3]["value"] for cell in blocked["errors_introduced"]] == ["#SPILL!"]


def test_a_defined_lambda_and_local_names_are_no_unknown_functions() -> None:
    book = a_book()

    changes.apply(book, [write("C1", formula="=LET(twice,LAMBDA(x,x*2),twice(A1))")])

    assert book.value(0, position(1, 3)) == 2


def test_hidden_rows_are_those_of_the_last_change() -> None:
    book = a_book()

    changes.apply(book, [{"op": "hide_rows", "sheet": "Sheet1", "rows": [(2, 3)]}])
    changes.apply(book, [{"op": "hide_rows", "sheet": "Sheet1", "rows": [(3, 4)]}])

    assert [book.model.is_row_hidden(0, row) for row in range(1, 6)] == [False, False, True, True, False]


def test_a_number_format_changes_the_text_and_not_the_value() -> None:
    book = a_book()

    changes.apply(book, [a_format("0.00"), write("D1", 45_000)])
    changes.apply(book, [{**a_format("yyyy-mm-dd"), "range": "D1"}])

    assert book.cell(0, position(1, 1)) == {"value": 1, "text": "1.00"}
    assert book.cell(0, position(1, 4)) == {"value": 45_000, "text": "2023-03-15", "iso": "2023-03-15"}


def test_a_deleted_sheet_leaves_errors_where_it_was_used() -> None:
    book = a_book()
    changes.apply(book, [sheet("add", "Other"), {**write("A1", 5), "sheet": "Other"}])
    changes.apply(book, [write("C1", formula="=Other!A1*2")])

    applied = changes.apply(book, [sheet("delete", "Other")])

    assert [cell[:3] for cell in applied["errors_introduced"]] == [("Sheet1", 1, 3)]


def test_many_scattered_changes_are_told_in_few_ranges() -> None:
    cells = [{"at": f"{'ACE'[row % 3]}{row * 2}", "value": row, "formula": None} for row in range(1, 400)]

    applied = changes.apply(a_book(), [{"op": "write_cells", "sheet": "Sheet1", "cells": cells}])

    assert len(applied["changed"]) == 50
    assert sum(count for _, _, count in applied["changed"]) == 399


def test_a_new_formula_that_makes_a_date_is_shown_as_one() -> None:
    book = a_book()

    changes.apply(book, [write("C1", formula="=DATE(2024,2,28+1)")])

    assert book.cell(0, position(1, 3)) == {
        "value": 45_351,
        "text": "2024-02-29",
        "formula": "=DATE(2024,2,28+1)",
        "iso": "2024-02-29",
    }
