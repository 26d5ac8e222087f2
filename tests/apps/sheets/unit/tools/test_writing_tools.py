"""The tools that change a workbook: which changes they plan, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.tools.outcomes import PlannedChange, UndoLastChange
from shared.apps.sheets.tools.references import references_in
from shared.apps.sheets.tools.toolbox import TOOLBOX
from shared.llm.model import ToolCall
from shared.tools.tool import CheckedCall
from tests.apps.sheets.plain_workbook import PlainWorkbook, date, formula
from tests.apps.sheets.unit.tools.calling import error_of, ops_of, result_of, run

STOCK = [
    ("Item", "Units", "Price", "Since"),
    ("Bolt", 30, 0.5, date("2026-03-01", 46_082)),
    ("Anvil", 2, 80, date("2026-01-05", 46_027)),
    ("Clamp", None, 7.5, date("2026-02-01", 46_054)),
    ("anvil", 9, 75, None),
]


@pytest.fixture
def workbook() -> PlainWorkbook:
    return PlainWorkbook({"Stock": STOCK, "Other sheet": [("x",)]})


def test_the_toolbox_has_the_fourteen_tools_with_their_arguments() -> None:
    assert {spec.name: tuple(spec.parameters["properties"]) for spec in TOOLBOX.specs(None)} == {
        "describe_workbook": ("sheet",),
        "read_range": ("sheet", "range", "what"),
        "search": ("text", "sheet", "match", "in", "limit"),
        "aggregate": ("sheet", "range", "groupBy", "measures", "where", "orderBy", "limit"),
        "sql_query": ("query", "limit"),
        "write_range": ("sheet", "start", "values", "allowOverwrite"),
        "write_formula": ("sheet", "range", "formula", "allowOverwrite"),
        "clear_range": ("sheet", "range"),
        "sort_range": ("sheet", "range", "by", "hasHeader"),
        "filter_rows": ("sheet", "range", "where", "to", "newSheet"),
        "change_structure": ("sheet", "action", "at", "count"),
        "manage_sheet": ("action", "sheet", "newName"),
        "set_number_format": ("sheet", "range", "format"),
        "undo_last_change": (),
    }


class TestWriteRange:
    def test_values_are_written_as_they_are_typed(self, workbook: PlainWorkbook) -> None:
        values = [["007", 7, 1.5, True, None], ["=A1"]]
        (op,) = ops_of(workbook, "write_range", sheet="stock", start="F2", values=values)
        assert op == {"op": "write_values", "sheet": "Stock", "start": "F2", "values": values}

    def test_a_text_that_looks_like_a_formula_is_warned_about(self, workbook: PlainWorkbook) -> None:
        result = result_of(workbook, "write_range", sheet="Stock", start="F2", values=[["=1+1"]])
        assert "use write_formula" in result.warnings[0]

    def test_cells_with_content_are_not_replaced_without_permission(self, workbook: PlainWorkbook) -> None:
        code, message = error_of(workbook, "write_range", sheet="Stock", start="B2", values=[[1], [2]])
        assert code == "WOULD_OVERWRITE"
        assert message.startswith("2 cells in B2:B3 have content: B2 = '30', B3 = '2' the first free column is E;")
        assert ops_of(workbook, "write_range", sheet="Stock", start="B2", values=[[1], [2]], allowOverwrite=True)

    def test_empty_cells_may_be_written_to(self, workbook: PlainWorkbook) -> None:
        assert ops_of(workbook, "write_range", sheet="Stock", start="B4", values=[[5]])

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"start": "A0", "values": [[1]]}, "BAD_RANGE"),
            ({"start": "XFD1", "values": [[1, 2]]}, "BAD_RANGE"),
            ({"start": "A1048576", "values": [[1], [2]]}, "BAD_RANGE"),
            ({"start": "F1", "values": [[]]}, "BAD_RANGE"),
            ({"start": "F1", "values": []}, "INVALID_ARGUMENTS"),
            ({"start": "F1", "values": [[{"a": 1}]]}, "INVALID_ARGUMENTS"),
            ({"start": "F1", "values": [["x" * 15_000]]}, None),
            ({"start": "F1", "values": [[0] * 4_900, [0]]}, "RANGE_TOO_LARGE"),
            ({"start": "F1", "values": [[1]], "sheet": "Stick"}, "UNKNOWN_SHEET"),
            ({"start": "F1", "values": [[1]], "color": "red"}, "INVALID_ARGUMENTS"),
        ],
    )
    def test_bad_input_is_refused(self, workbook: PlainWorkbook, arguments: dict[str, Any], code: str | None) -> None:
        error = result_of(workbook, "write_range", **{"sheet": "Stock", **arguments}).error
        assert (error.code if error else None) == code

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    def test_what_is_no_number_is_refused(self, workbook: PlainWorkbook, number: str) -> None:
        call = ToolCall("c", "write_range", f'{{"sheet": "Stock", "start": "F1", "values": [[{number}]]}}')
        checked = TOOLBOX.check(call, None)
        assert not isinstance(checked, CheckedCall)
        assert checked.error is not None
        assert checked.error.code == "INVALID_ARGUMENTS"


class TestWriteFormula:
    def test_one_formula_fills_a_range(self, workbook: PlainWorkbook) -> None:
        (op,) = ops_of(workbook, "write_formula", sheet="Stock", range="E2:E5", formula=" =B2*C2")
        assert op == {"op": "fill_formula", "sheet": "Stock", "range": "E2:E5", "formula": "=B2*C2"}

    def test_cells_with_content_are_not_replaced_without_permission(self, workbook: PlainWorkbook) -> None:
        assert error_of(workbook, "write_formula", sheet="Stock", range="D2:D5", formula="=B2")[0] == "WOULD_OVERWRITE"

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"range": "F1:F200001", "formula": "=1"}, "RANGE_TOO_LARGE"),
            ({"range": "F1", "formula": "1+1"}, "INVALID_ARGUMENTS"),
            ({"range": "F1", "formula": "=" + "1+" * 5_000 + "1"}, "INVALID_ARGUMENTS"),
        ],
    )
    def test_bad_input_is_refused(self, workbook: PlainWorkbook, arguments: dict[str, Any], code: str) -> None:
        assert error_of(workbook, "write_formula", sheet="Stock", **arguments)[0] == code


class TestSort:
    def test_rows_are_sorted_by_a_column_with_empty_cells_last(self, workbook: PlainWorkbook) -> None:
        by = [{"column": "Units", "descending": True}]
        (op,) = ops_of(workbook, "sort_range", sheet="Stock", range="A:D", by=by, hasHeader=True)
        assert (op["range"], op["order"]) == ("A2:D5", [0, 3, 1, 2])

    def test_the_second_column_decides_where_the_first_is_equal(self, workbook: PlainWorkbook) -> None:
        by = [{"column": "Item"}, {"column": "C"}]
        (op,) = ops_of(workbook, "sort_range", sheet="Stock", range="A1:D5", by=by, hasHeader=True)
        assert op["order"] == [3, 1, 0, 2]

    def test_dates_are_sorted_by_time(self, workbook: PlainWorkbook) -> None:
        by = [{"column": "Since"}]
        (op,) = ops_of(workbook, "sort_range", sheet="Stock", range="A1:D5", by=by, hasHeader=True)
        assert op["order"] == [1, 2, 0, 3]

    def test_without_a_header_row_columns_have_letters(self) -> None:
        workbook = PlainWorkbook({"S": [(3,), (1,), (2,)]})
        (op,) = ops_of(workbook, "sort_range", sheet="S", range="A1:A3", by=[{"column": "A"}], hasHeader=False)
        assert op["order"] == [1, 2, 0]

    def test_formulas_of_their_own_row_may_move(self) -> None:
        rows = [
            ("A", "Double", "Share"),
            *((n, formula(f"=A{r}*2"), formula(f"=A{r}/SUM(A$2:A$4)")) for r, n in ((2, 3), (3, 1), (4, 2))),
        ]
        workbook = PlainWorkbook({"S": rows})
        assert ops_of(workbook, "sort_range", sheet="S", range="A1:C4", by=[{"column": "A"}], hasHeader=True)

    @pytest.mark.parametrize(
        ("cell", "sheet", "said"),
        [
            (formula("=B2"), "Other", "points to single rows"),
            (formula("=SUM(S!A2:A3)"), "Other", "points to single rows"),
        ],
    )
    def test_rows_that_formulas_elsewhere_point_to_are_not_sorted(
        self, cell: CellContent, sheet: str, said: str
    ) -> None:
        workbook = PlainWorkbook({"S": [("A", "B"), (2, 1), (1, 2), (0, 3)], "Other": [(formula("=S!B2"), cell)]})
        code, message = error_of(workbook, "sort_range", sheet="S", range="A1:B4", by=[{"column": "A"}], hasHeader=True)
        assert (code, said in message) == ("BAD_RANGE", True)

    def test_formulas_elsewhere_over_all_rows_do_no_harm(self) -> None:
        total = formula("=SUM(S!A2:A4)+COUNTA(S!$A:$A)")
        workbook = PlainWorkbook({"S": [("A", "B"), (2, 1), (1, 2), (0, 3)], "Other": [(total,)]})
        assert ops_of(workbook, "sort_range", sheet="S", range="A1:B4", by=[{"column": "A"}], hasHeader=True)

    def test_a_formula_that_refers_to_the_row_above_does_not_move(self) -> None:
        rows = [("A", "Sum"), (2, 2), (1, formula("=B2+A3")), (0, formula("=B3+A4"))]
        code, message = error_of(
            PlainWorkbook({"S": rows}), "sort_range", sheet="S", range="A1:B4", by=[{"column": "A"}], hasHeader=True
        )
        assert (code, "refers to another row" in message) == ("BAD_RANGE", True)

    def test_frozen_cells_do_not_move(self) -> None:
        rows = [("A", "X"), (2, CellContent(1, formula="=CUBE()", frozen=True)), (1, 2)]
        arguments: dict[str, Any] = {"sheet": "S", "range": "A1:B3", "by": [{"column": "A"}], "hasHeader": True}
        assert error_of(PlainWorkbook({"S": rows}), "sort_range", **arguments)[0] == "FROZEN"

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"by": [{"column": "Weight"}]}, "UNKNOWN_COLUMN"),
            ({"range": "A1:D1"}, "BAD_RANGE"),
            ({"by": []}, "INVALID_ARGUMENTS"),
            ({"range": "A2:D5", "hasHeader": False, "by": [{"column": "XX"}]}, "UNKNOWN_COLUMN"),
            ({"range": "A4:A5", "hasHeader": False, "by": [{"column": "A", "descending": True}]}, "NOTHING_FOUND"),
        ],
    )
    def test_bad_input_is_refused(self, workbook: PlainWorkbook, arguments: dict[str, Any], code: str) -> None:
        given = {"sheet": "Stock", "range": "A1:D5", "by": [{"column": "Units"}], "hasHeader": True, **arguments}
        assert error_of(workbook, "sort_range", **given)[0] == code


class TestFilter:
    def test_rows_that_do_not_fit_are_hidden(self, workbook: PlainWorkbook) -> None:
        where = [{"column": "Units", "op": "lt", "value": 10}]
        (op,) = ops_of(workbook, "filter_rows", sheet="Stock", where=where, to="hide")
        assert op == {"op": "hide_rows", "sheet": "Stock", "rows": [[2, 2], [4, 4]]}

    def test_rows_that_fit_are_copied_with_their_dates(self, workbook: PlainWorkbook) -> None:
        where = [{"column": "Item", "op": "eq", "value": "anvil"}]
        add, write, shape = ops_of(workbook, "filter_rows", sheet="Stock", where=where, to="new_sheet", newSheet="A")
        assert add == {"op": "manage_sheet", "action": "add", "sheet": "A", "newName": "A"}
        assert write["values"] == [
            ["Item", "Units", "Price", "Since"],
            ["Anvil", 2, 80, 46_027],
            ["anvil", 9, 75, None],
        ]
        assert (shape["range"], shape["format"]) == ("D2:D3", "yyyy-mm-dd")

    def test_no_row_is_said(self, workbook: PlainWorkbook) -> None:
        where = [{"column": "Item", "op": "eq", "value": "Hammer"}]
        assert error_of(workbook, "filter_rows", sheet="Stock", where=where, to="hide")[0] == "NOTHING_FOUND"

    def test_a_sheet_that_exists_is_not_replaced(self, workbook: PlainWorkbook) -> None:
        arguments = {"where": [{"column": "Units", "op": "not_empty"}], "to": "new_sheet", "newSheet": "other SHEET"}
        assert error_of(workbook, "filter_rows", sheet="Stock", **arguments)[0] == "WOULD_OVERWRITE"


class TestStructure:
    @pytest.mark.parametrize(("at", "number"), [("C", 3), (3, 3), ("3", 3), ("xfd", 16_384)])
    def test_columns_have_letters_or_numbers(self, workbook: PlainWorkbook, at: Any, number: int) -> None:
        (op,) = ops_of(workbook, "change_structure", sheet="Stock", action="insert_columns", at=at, count=2)
        assert (op["at"], op["count"]) == (number, 2)

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"action": "insert_rows", "at": "B"}, "BAD_RANGE"),
            ({"action": "insert_rows", "at": 0}, "BAD_RANGE"),
            ({"action": "insert_rows", "at": 2_000_000}, "BAD_RANGE"),
            ({"action": "insert_columns", "at": "ZZZ"}, "BAD_RANGE"),
            ({"action": "insert_columns", "at": "²"}, "BAD_RANGE"),
            ({"action": "insert_rows", "at": 1, "count": 0}, "INVALID_ARGUMENTS"),
            ({"action": "insert_rows", "at": 1, "count": 1_000_000}, "RANGE_TOO_LARGE"),
            ({"action": "delete_rows", "at": 6}, "NOTHING_FOUND"),
            ({"action": "merge", "at": 6}, "INVALID_ARGUMENTS"),
        ],
    )
    def test_bad_input_is_refused(self, workbook: PlainWorkbook, arguments: dict[str, Any], code: str) -> None:
        assert error_of(workbook, "change_structure", sheet="Stock", **arguments)[0] == code


class TestSheets:
    def test_sheets_are_added_renamed_copied_and_deleted(self, workbook: PlainWorkbook) -> None:
        for action, name in (("add", None), ("rename", "New"), ("duplicate", "Copy"), ("delete", None)):
            sheet = "Fresh" if action == "add" else "Stock"
            (op,) = ops_of(workbook, "manage_sheet", action=action, sheet=sheet, newName=name)
            assert (op["action"], op["sheet"]) == (action, sheet)

    def test_a_sheet_may_change_the_case_of_its_name(self, workbook: PlainWorkbook) -> None:
        assert ops_of(workbook, "manage_sheet", action="rename", sheet="Stock", newName="STOCK")

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"action": "add", "sheet": "stock"}, "WOULD_OVERWRITE"),
            ({"action": "rename", "sheet": "Stock", "newName": "Other Sheet"}, "WOULD_OVERWRITE"),
            ({"action": "add", "sheet": "a/b"}, "BAD_RANGE"),
            ({"action": "add", "sheet": "x" * 32}, "BAD_RANGE"),
            ({"action": "rename", "sheet": "Stock", "newName": "[x]"}, "INVALID_ARGUMENTS"),
            ({"action": "rename", "sheet": "Stock"}, "BAD_RANGE"),
            ({"action": "delete", "sheet": "Stack"}, "UNKNOWN_SHEET"),
        ],
    )
    def test_bad_input_is_refused(self, workbook: PlainWorkbook, arguments: dict[str, Any], code: str) -> None:
        assert error_of(workbook, "manage_sheet", **arguments)[0] == code

    def test_the_only_sheet_is_kept(self) -> None:
        assert error_of(PlainWorkbook({"S": []}), "manage_sheet", action="delete", sheet="S")[0] == "CONFLICT"


def test_a_range_is_cleared_and_its_cells_are_counted(workbook: PlainWorkbook) -> None:
    outcome = run(workbook, "clear_range", sheet="Stock", range="B2:B5")
    assert outcome.result.summary == "Clear 3 cells of Stock!B2:B5"
    assert error_of(workbook, "clear_range", sheet="Stock", range="F1:F9")[0] == "NOTHING_FOUND"


def test_a_number_format_is_set(workbook: PlainWorkbook) -> None:
    (op,) = ops_of(workbook, "set_number_format", sheet="Stock", range="C2:C5", format="0.00")
    assert op == {"op": "set_number_format", "sheet": "Stock", "range": "C2:C5", "format": "0.00"}


def test_undo_is_an_effect_of_its_kind(workbook: PlainWorkbook) -> None:
    assert run(workbook, "undo_last_change").effects == (UndoLastChange(),)


def test_a_change_can_be_planned_again_for_a_newer_workbook(workbook: PlainWorkbook) -> None:
    """What was free when the model called may have content now: then the same call is refused."""
    (planned,) = run(workbook, "write_range", sheet="Stock", start="E2", values=[[1]]).effects
    assert isinstance(planned, PlannedChange)
    newer = PlainWorkbook({"Stock": [(1, 2, 3, 4, 5), (1, 2, 3, 4, 5)]})
    refused = planned.again(newer)
    assert refused.result.error is not None
    assert refused.result.error.code == "WOULD_OVERWRITE"
    (same,) = planned.again(workbook).effects
    assert isinstance(same, PlannedChange)
    assert same.ops == planned.ops


@pytest.mark.parametrize(
    ("text", "areas"),
    [
        ("=B2*$C$3", [(None, "B2"), (None, "C3")]),
        ("=SUM(A1:B9)+'My ''sheet'!C4", [(None, "A1:B9"), ("My 'sheet", "C4")]),
        ('="A1"&LOG10(B2)', [(None, "B2")]),
        ("=Sheet2!D5:D9", [("Sheet2", "D5:D9")]),
        ("=A:A+ABCD1+Tax_2024", []),
    ],
)
def test_references_of_formulas_are_found(text: str, areas: list[tuple[str | None, str]]) -> None:
    assert [(each.sheet, str(each.area)) for each in references_in(text)] == areas
