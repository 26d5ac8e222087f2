"""Formulas are taken apart and put together again without losing anything."""

from __future__ import annotations

import ironcalc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.apps.sheets.addresses import column_name
from shared.apps.sheets.engine import formulas
from shared.apps.sheets.engine.formulas import Shift

CELL = st.builds(
    lambda a, column, b, row: f"{a}{column_name(column)}{b}{row}",
    *(st.sampled_from(["", "$"]), st.integers(2, 30), st.sampled_from(["", "$"]), st.integers(2, 40)),
)
SHEET = st.sampled_from(["", "", "", "Other!", "'It''s A1'!"])
PIECES = st.one_of(
    CELL,
    st.builds(lambda sheet, cell: sheet + cell, SHEET, CELL),
    st.builds(lambda a, b: f"SUM({a}:{b})", CELL, CELL),
    st.sampled_from(['"A1 ""B2"""', "LOG10(100)", "1.5", "TRUE", "MAX($B:C)", "2%", "{1,2}", "Rate_A1"]),
)
FORMULA = st.lists(PIECES, min_size=1, max_size=4).map(lambda pieces: "=" + "+".join(pieces))


@pytest.mark.no_cover
@example("=a1+$b$2:c3")
@given(st.text(max_size=60) | FORMULA)
def test_the_pieces_of_a_text_are_the_text_with_its_references_in_capitals(text: str) -> None:
    shown = formulas.show(formulas.parse(text))

    assert shown.upper() == text.upper()
    assert formulas.show(formulas.parse(shown)) == shown


@pytest.mark.no_cover
@settings(deadline=None)
@given(FORMULA, st.integers(-1, 20), st.integers(-1, 20))
def test_a_moved_formula_is_what_the_engine_makes_of_a_copy(text: str, rows: int, columns: int) -> None:
    there = formulas.moved(formulas.parse(text), rows, columns)

    assert formulas.moved(formulas.parse(there), -rows, -columns) == text
    assert areas(as_the_engine_reads(there)) == areas(text, rows, columns)


def as_the_engine_reads(formula: str) -> str:
    model = ironcalc.create("book")
    model.add_sheet("Other")
    model.add_sheet("It's A1")
    model.update_cell_with_formula(0, 100, 100, formula)
    return model.get_cell_formula(0, 100, 100) or ""


def areas(formula: str, rows: int = 0, columns: int = 0) -> list[tuple[str, list[int | None], list[int | None]]]:
    """Return the references of a formula, their relative parts moved, with corners in order."""
    found: list[tuple[str, list[int | None], list[int | None]]] = []
    for part in formulas.parse(formula):
        if isinstance(part, formulas.Reference):
            corners = [part.first, part.last or part.first]
            at_rows = [each.row and each.row + (0 if each.row_fixed else rows) for each in corners]
            at_columns = [each.column and each.column + (0 if each.column_fixed else columns) for each in corners]
            found.append((part.sheet, sorted(at_rows, key=str), sorted(at_columns, key=str)))
    return found


@pytest.mark.no_cover
@settings(deadline=None)
@given(FORMULA, st.booleans(), st.integers(1, 30), st.integers(1, 4))
def test_shifted_references_are_those_of_the_engine(text: str, rows: bool, at: int, count: int) -> None:
    model = ironcalc.create("book")
    model.add_sheet("Other")
    model.add_sheet("It's A1")
    model.update_cell_with_formula(1, 1, 1, text.replace("Other!", "Sheet1!"))
    before = model.get_cell_formula(1, 1, 1) or ""
    (model.insert_rows if rows else model.insert_columns)(0, at, count)

    assert formulas.shifted(before, "Other", Shift("Sheet1", rows, at, count)) == model.get_cell_formula(1, 1, 1)


@pytest.mark.parametrize(
    ("formula", "after"),
    [
        ("=A5", "=A3"),
        ("=A2", "=#REF!"),
        ("=A1:A3", "=A1"),
        ("=SUM(A1:A9)", "=SUM(A1:A7)"),
        ("=SUM(A2:A3)", "=SUM(#REF!)"),
        ("=SUM(A3:A9)", "=SUM(A2:A7)"),
        ("=SUM(A9:A1)", "=SUM(A7:A1)"),
        ("=SUM($A:B)+B$9", "=SUM($A:B)+B$7"),
        ("=Other!A5", "=Other!A5"),
        ('="A5"&Here!A5', '="A5"&Here!A3'),
    ],
)
def test_deleted_rows_shorten_ranges_and_break_what_they_held(formula: str, after: str) -> None:
    found = formulas.shifted(formula, "Here", Shift("Here", rows=True, at=2, count=-2))

    assert found.replace("A1:A1", "A1") == after


def test_a_renamed_sheet_is_quoted_where_it_must_be() -> None:
    formula = "=Data!A1+'Data'!B2+Other!A1+\"Data!A1\""

    assert formulas.renamed(formula, "data", "It's") == "='It''s'!A1+'It''s'!B2+Other!A1+\"Data!A1\""
    assert formulas.renamed(formula, "Data", None) == '=#REF!+#REF!+Other!A1+"Data!A1"'
    assert [formulas.quoted(name) for name in ("Data", "A1", "2024", "R", "a b")] == [
        "Data",
        "'A1'",
        "'2024'",
        "'R'",
        "'a b'",
    ]


@pytest.mark.parametrize(
    ("formula", "bounded"),
    [
        ("=VLOOKUP(A4,$D:$E,2,0)", "=VLOOKUP(A4,$D$1:$E$1024,2,0)"),
        ("=MATCH(1,Data!D:D,0)", "=MATCH(1,Data!D$1:D$1024,0)"),
        ("=SUMPRODUCT((A:A=1)*B:B)", "=SUMPRODUCT((A$1:A$1024=1)*B$1:B$1024)"),
        ("=INDEX(E:E,MATCH(A2,D:D,0))", "=INDEX(E:E,MATCH(A2,D$1:D$1024,0))"),
        ("=ROWS(A:A)", None),
        ("=COUNTIF(A:A,1)", None),
        ("=SUM(A1:A9)", None),
        ('=MAX("A:A")', None),
    ],
)
def test_whole_columns_are_bounded_where_the_result_is_the_same(formula: str, bounded: str | None) -> None:
    assert formulas.bounded(formula, 1024) == bounded


@pytest.mark.parametrize(
    ("formula", "spills"),
    [
        ("=SUM(A1:A9)", False),
        ("=VLOOKUP(A1,B:C,2,0)*2", False),
        ("=IF(A1>1,B1,C1)", False),
        ("=A1:A9*2", True),
        ("=ABS(A1:A9)", True),
        ("=SEQUENCE(3)", True),
        ("=Prices*2", True),
        ("=A1#", True),
        ("=TRUE", False),
    ],
)
def test_what_may_fill_other_cells_is_known(formula: str, spills: bool) -> None:
    assert formulas.may_spill(formula) is spills


@pytest.mark.parametrize(
    "formula",
    ["=SUM(T1[A1])", "=T1[[#This Row],[Q1 (net)]]*2", "=[@B2]+1", "=SUM(T1['[B2']])", "=T1[[#Headers],[B2]:[C3]]"],
)
def test_columns_of_tables_are_no_references(formula: str) -> None:
    formulas.check(formula)

    assert formulas.moved(formulas.parse(formula), 1, 1) == formula
    assert formulas.sheets_of(formula) == set()


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("=TODAY()", "yyyy-mm-dd"),
        ("=NOW( )", "yyyy-mm-dd hh:mm"),
        ("=DATE(YEAR(A1),1,1)", "yyyy-mm-dd"),
        ("=TODAY()-DATE(2020,1,1)", None),
        ("=YEAR(TODAY())", None),
        ("=(TODAY())", None),
        ("=A1", None),
    ],
)
def test_a_formula_that_makes_a_date_is_shown_as_one(formula: str, code: str | None) -> None:
    assert formulas.date_format(formula) == code
