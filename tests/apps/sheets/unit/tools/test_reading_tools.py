"""The tools that read a workbook: describe, read, search, aggregate, query."""

from __future__ import annotations

from typing import Any

import pytest

from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.workbook import DefinedName
from tests.apps.sheets.plain_workbook import PlainWorkbook, date, formula
from tests.apps.sheets.unit.tools.calling import data_of, error_of, result_of

SALES = [
    ("Sales 2026",),
    (),
    ("Date", "Region", "Units", "Price", "Total"),
    (date("2026-01-05"), "North", 3, 2.5, formula("=C4*D4", 7.5)),
    (date("2026-01-31T14:30:00"), "South", 5, 1.5, formula("=C5*D5", 7.5)),
    (date("2026-02-01"), "north", 2, 0.1, formula("=C6*D6", 0.2)),
    (date("2026-02-10"), "East", "n/a", 4, CellContent("#VALUE!", formula="=C7*D7", error=True)),
    ("Total", None, 10, None, formula("=SUM(E4:E7)", 15.2)),
]


@pytest.fixture
def workbook() -> PlainWorkbook:
    return PlainWorkbook({"Sales": SALES, "Notes": [("Ann likes the north",), ("Ben",)], "Empty": []})


class TestDescribe:
    def test_all_sheets_are_described_in_short(self, workbook: PlainWorkbook) -> None:
        sales, notes, empty = data_of(workbook, "describe_workbook")["sheets"]
        assert (sales["headerRow"], sales["data"], sales["totalRow"]) == (3, "A4:E8", 8)
        assert [(each["name"], each["type"]) for each in sales["fields"]] == [
            ("Date", "date"),
            ("Region", "text"),
            ("Units", "mixed"),
            ("Price", "number"),
            ("Total", "number"),
        ]
        assert notes["rows"] == 2
        assert empty == {"sheet": "Empty", "rows": 0, "columns": 0, "empty": True}

    def test_defined_names_and_protected_sheets_are_told(self) -> None:
        names = [DefinedName("Rate", "Sales!$B$1"), DefinedName("Local", "Sales!$B$2", "Sales")]
        workbook = PlainWorkbook({"Sales": [("a", "b"), (1, 2)], "Notes": [("x",)]}, names=names, protected={"Sales"})
        data = data_of(workbook, "describe_workbook")
        assert data["names"] == [
            {"name": "Rate", "formula": "Sales!$B$1"},
            {"name": "Local", "formula": "Sales!$B$2", "sheet": "Sales"},
        ]
        assert [each.get("protected") for each in data["sheets"]] == [True, None]

    def test_many_names_are_cut_and_counted(self) -> None:
        names = [DefinedName(f"Name{number}", f"S!$A${number}") for number in range(1, 101)]
        data = data_of(PlainWorkbook({"S": [("a",)]}, names=names), "describe_workbook")
        assert len(data["names"]) + data["namesLeftOut"] == 100
        assert data["sheets"]

    def test_one_sheet_is_described_with_everything_about_its_columns(self, workbook: PlainWorkbook) -> None:
        day, region, units, price, total = data_of(workbook, "describe_workbook", sheet="sales")["fields"]
        assert (day["min"], day["max"]) == ("2026-01-05", "2026-02-10")
        assert (region["distinct"], region["samples"]) == (4, ["North", "South", "north"])
        assert units["types"] == {"number": 3, "text": 1}
        assert (price["min"], price["max"]) == (0.1, 4)
        assert (total["formulas"], total["errors"], total["formula"]) == (4, 1, "=C4*D4")

    def test_numbers_as_text_and_frozen_cells_are_counted(self) -> None:
        workbook = PlainWorkbook({"S": [("Code", "X"), ("007", CellContent(1, frozen=True)), ("008", 2)]})
        code, x = data_of(workbook, "describe_workbook", sheet="S")["fields"]
        assert (code["type"], code["numbersAsText"], x["frozen"]) == ("text", 2, 1)

    def test_a_wide_sheet_is_cut_and_says_so(self) -> None:
        workbook = PlainWorkbook({"Wide": [[f"Column {n}" for n in range(400)], list(range(400))]})
        result = result_of(workbook, "describe_workbook", sheet="Wide")
        assert result.truncated
        assert result.data is not None
        assert result.data["fieldsLeftOut"] + len(result.data["fields"]) == 400

    def test_many_sheets_are_cut_and_named(self) -> None:
        rows: list[list[Any]] = [[f"Name {n}" for n in range(30)], list(range(30))]
        data = data_of(PlainWorkbook({f"Sheet {n}": rows for n in range(90)}), "describe_workbook")
        assert len(data["sheets"]) < 90
        assert data["otherSheets"]

    def test_a_large_sheet_is_described_from_its_first_rows(self) -> None:
        workbook = PlainWorkbook({"Long": [("A name", "B name"), *((n, n) for n in range(40_000))]})
        assert data_of(workbook, "describe_workbook", sheet="Long")["profiledRows"] == 30_000

    def test_an_unknown_sheet_gets_the_nearest_name(self, workbook: PlainWorkbook) -> None:
        assert error_of(workbook, "describe_workbook", sheet="Sale") == (
            "UNKNOWN_SHEET",
            "there is no sheet 'Sale' use “Sales” ",
        )


class TestRead:
    def test_rows_are_arrays_with_iso_dates_and_names_of_errors(self, workbook: PlainWorkbook) -> None:
        assert data_of(workbook, "read_range", sheet="Sales", range="A6:E8")["rows"] == [
            ["2026-02-01", "north", 2, 0.1, 0.2],
            ["2026-02-10", "East", "n/a", 4, "#VALUE!"],
            ["Total", None, 10, None, 15.2],
        ]

    def test_formulas_can_be_read_alone_or_with_their_values(self, workbook: PlainWorkbook) -> None:
        assert data_of(workbook, "read_range", sheet="Sales", range="D6:E6", what="formulas")["rows"] == [
            [0.1, "=C6*D6"]
        ]
        assert data_of(workbook, "read_range", sheet="Sales", range="E6", what="both")["rows"] == [[[0.2, "=C6*D6"]]]

    @pytest.mark.parametrize("text", ["B:B", "Sales!B1:B8", "'Sales'!$B$1:$B$8", "B8:B1", "B1:B500"])
    def test_a_range_may_be_written_in_several_ways(self, workbook: PlainWorkbook, text: str) -> None:
        data = data_of(workbook, "read_range", sheet="Sales", range=text)
        assert data["range"] == "B1:B8"
        assert data["rows"][3] == ["North"]

    def test_whole_rows_end_with_the_content(self, workbook: PlainWorkbook) -> None:
        assert data_of(workbook, "read_range", sheet="Sales", range="4:4")["range"] == "A4:E4"

    @pytest.mark.parametrize("text", ["ZZZ9", "A0", "B", "1", "", "A1:", "Notes!A1", "A1:B2:C3", "ZZZ:ZZZ"])
    def test_what_is_no_range_is_refused(self, workbook: PlainWorkbook, text: str) -> None:
        code, message = error_of(workbook, "read_range", sheet="Sales", range=text)
        assert code == "BAD_RANGE"
        assert "A1:C9" in message

    def test_a_range_with_too_many_cells_is_refused_with_a_way_to_narrow_it(self) -> None:
        workbook = PlainWorkbook({"Long": [[n] for n in range(2_001)]})
        code, message = error_of(workbook, "read_range", sheet="Long", range="A1:A2001")
        assert code == "RANGE_TOO_LARGE"
        assert "aggregate" in message

    def test_rows_that_do_not_fit_are_left_out_and_the_rest_is_named(self) -> None:
        workbook = PlainWorkbook({"S": [["x" * 100] for _ in range(100)]})
        result = result_of(workbook, "read_range", sheet="S", range="A1:A100")
        assert result.truncated
        assert result.data is not None
        read = len(result.data["rows"])
        assert (result.data["range"], result.data["continueWith"]) == (f"A1:A{read}", f"A{read + 1}:A100")

    def test_a_long_text_is_cut(self) -> None:
        (row,) = data_of(PlainWorkbook({"S": [["x" * 40_000]]}), "read_range", sheet="S", range="A1")["rows"]
        assert row == ["x" * 300 + "…"]

    def test_frozen_cells_are_named(self) -> None:
        workbook = PlainWorkbook({"S": [[1, CellContent(2, formula="=CUBE()", frozen=True)]]})
        assert data_of(workbook, "read_range", sheet="S", range="A1:B1")["frozen"] == ["B1"]


class TestSearch:
    def test_cells_of_all_sheets_are_found_without_regard_to_case(self, workbook: PlainWorkbook) -> None:
        found = data_of(workbook, "search", text="NORTH")["found"]
        assert [(each["sheet"], each["cell"]) for each in found] == [("Sales", "B4"), ("Sales", "B6"), ("Notes", "A1")]

    @pytest.mark.parametrize(
        ("arguments", "cells"),
        [
            ({"text": "north", "match": "exact"}, ["B4", "B6"]),
            ({"text": "sal", "match": "starts"}, ["A1"]),
            ({"text": "C4*", "in": "formulas"}, ["E4"]),
            ({"text": "2026-02", "sheet": "Sales"}, ["A6", "A7"]),
            ({"text": "#VALUE", "sheet": "Sales"}, ["E7"]),
            ({"text": "nothing like this"}, []),
        ],
    )
    def test_texts_formulas_dates_and_errors_are_found(
        self, workbook: PlainWorkbook, arguments: dict[str, Any], cells: list[str]
    ) -> None:
        assert [each["cell"] for each in data_of(workbook, "search", **arguments)["found"]] == cells

    def test_more_hits_than_the_limit_are_said(self) -> None:
        workbook = PlainWorkbook({"S": [["x"] for _ in range(30)]})
        result = result_of(workbook, "search", text="x", limit=5)
        assert result.truncated
        assert result.summary == "found 5 cells and more with “x”"

    def test_the_limit_is_bounded(self, workbook: PlainWorkbook) -> None:
        assert error_of(workbook, "search", text="x", limit=51)[0] == "INVALID_ARGUMENTS"


class TestAggregate:
    def test_figures_in_groups_with_a_warning_about_the_row_of_totals(self, workbook: PlainWorkbook) -> None:
        result = result_of(
            workbook,
            "aggregate",
            sheet="Sales",
            groupBy=["Region"],
            measures=[{"column": "Units", "fn": "sum"}],
            orderBy={"column": "sum of Units", "descending": True},
        )
        assert result.data is not None
        assert result.data["columns"] == ["Region", "sum of Units"]
        assert result.data["rows"] == [[None, 10], ["South", 5], ["North", 3], ["north", 2], ["East", None]]
        assert "row 8 looks like a row of totals" in result.warnings[1]
        assert "Units: cells that are no numbers were left out, such as n/a" in result.warnings[0]

    @pytest.mark.parametrize(
        ("fn", "value"),
        [("sum", 17), ("avg", 5.666666666666667), ("min", 2), ("max", 10), ("median", 5), ("count", 3)],
    )
    def test_every_function(self, fn: str, value: float) -> None:
        workbook = PlainWorkbook({"S": [("N", "T"), (2, "a"), (10, "b"), (5, "a"), (None, "a")]})
        data = data_of(workbook, "aggregate", sheet="S", measures=[{"column": "N", "fn": fn}])
        assert data["rows"] == [[pytest.approx(value)]]

    def test_different_values_are_counted_and_dates_have_a_first_and_a_last(self, workbook: PlainWorkbook) -> None:
        measures = [{"column": "Date", "fn": "min"}, {"column": "Date", "fn": "max"}]
        where = [{"column": "Date", "op": "ge", "value": "2026-01-01"}]
        count = {"column": "Region", "fn": "count_distinct"}
        data = data_of(workbook, "aggregate", sheet="Sales", measures=[*measures, count], where=where)
        assert data["rows"] == [["2026-01-05", "2026-02-10", 4]]

    def test_binary_fractions_leave_no_noise(self) -> None:
        workbook = PlainWorkbook({"S": [("N",), (0.1,), (0.2,)]})
        assert data_of(workbook, "aggregate", sheet="S", measures=[{"column": "N", "fn": "sum"}])["rows"] == [[0.3]]

    def test_columns_may_be_named_by_letters_and_a_range_gets_the_sheets_names(self, workbook: PlainWorkbook) -> None:
        data = data_of(workbook, "aggregate", sheet="Sales", range="A4:E5", measures=[{"column": "C", "fn": "sum"}])
        assert (data["columns"], data["rows"]) == (["sum of Units"], [[8]])

    def test_a_second_table_below_an_empty_row_has_its_own_names(self) -> None:
        workbook = PlainWorkbook({"S": [("A name", "Units"), ("x", 1), (), ("B name", "Left"), ("y", 5), ("z", 6)]})
        data = data_of(workbook, "aggregate", sheet="S", range="A4:B6", measures=[{"column": "Left", "fn": "sum"}])
        assert data["rows"] == [[11]]

    def test_an_unknown_column_gets_the_nearest_names(self, workbook: PlainWorkbook) -> None:
        code, message = error_of(workbook, "aggregate", sheet="Sales", measures=[{"column": "Unit", "fn": "sum"}])
        assert code == "UNKNOWN_COLUMN"
        assert "“Units”" in message

    def test_an_unknown_order_gets_the_columns_of_the_result(self, workbook: PlainWorkbook) -> None:
        measures = [{"column": "Units", "fn": "sum"}]
        code, message = error_of(workbook, "aggregate", sheet="Sales", measures=measures, orderBy={"column": "Price"})
        assert (code, "sum of Units" in message) == ("UNKNOWN_COLUMN", True)

    def test_groups_beyond_the_limit_are_counted(self) -> None:
        workbook = PlainWorkbook({"S": [("K", "N"), *((f"k{n}", n) for n in range(300))]})
        measures = [{"column": "N", "fn": "sum"}]
        result = result_of(workbook, "aggregate", sheet="S", groupBy=["K"], measures=measures, limit=10)
        assert result.truncated
        assert result.data is not None
        assert (len(result.data["rows"]), result.data["groups"]) == (10, 300)

    def test_an_empty_sheet_is_said(self, workbook: PlainWorkbook) -> None:
        assert error_of(workbook, "aggregate", sheet="Empty", measures=[{"column": "A", "fn": "sum"}])[0] == (
            "NOTHING_FOUND"
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"measures": []},
            {"measures": [{"column": "Units", "fn": "product"}]},
            {"measures": [{"column": "Units", "fn": "sum"}], "where": [{"column": "Units", "op": "eq"}]},
            {"measures": [{"column": "Units", "fn": "sum"}], "where": [{"column": "Units", "op": "in"}]},
            {"measures": [{"column": "Units", "fn": "sum"}], "groupby": ["Region"]},
            {"measures": "sum of Units"},
        ],
    )
    def test_arguments_of_another_form_are_refused(self, workbook: PlainWorkbook, wrong: dict[str, Any]) -> None:
        assert error_of(workbook, "aggregate", sheet="Sales", **wrong)[0] == "INVALID_ARGUMENTS"


CONDITIONS: list[tuple[dict[str, Any], list[int]]] = [
    ({"column": "N", "op": "eq", "value": 5}, [2]),
    ({"column": "N", "op": "ne", "value": 5}, [1, 3, 4]),
    ({"column": "N", "op": "gt", "value": 5}, [3]),
    ({"column": "N", "op": "ge", "value": 5}, [2, 3]),
    ({"column": "N", "op": "lt", "value": 5}, [1]),
    ({"column": "N", "op": "le", "value": "5"}, [1, 2]),
    ({"column": "N", "op": "empty"}, [4]),
    ({"column": "N", "op": "not_empty"}, [1, 2, 3]),
    ({"column": "T", "op": "eq", "value": "ann"}, [1]),
    ({"column": "T", "op": "contains", "value": "N"}, [1, 2]),
    ({"column": "T", "op": "starts", "value": "b"}, [2]),
    ({"column": "T", "op": "in", "values": ["ANN", 7]}, [1, 3]),
    ({"column": "D", "op": "le", "value": "2026-01-31"}, [1, 2]),
    ({"column": "D", "op": "eq", "value": "2026-02"}, [3]),
    ({"column": "D", "op": "gt", "value": "2026-01-31 12:00"}, [2, 3]),
    ({"column": "B", "op": "eq", "value": True}, [1]),
    ({"column": "B", "op": "eq", "value": 1}, []),
    ({"column": "C", "op": "eq", "value": "7"}, [3]),
    ({"column": "C", "op": "eq", "value": 7}, [1, 3]),
]


@pytest.mark.parametrize(("condition", "ids"), CONDITIONS)
def test_conditions_compare_numbers_texts_dates_and_booleans(condition: dict[str, Any], ids: list[int]) -> None:
    workbook = PlainWorkbook(
        {
            "S": [
                ("Id", "N", "T", "D", "B", "C"),
                (1, 2, "Ann", date("2026-01-05"), True, "007"),
                (2, 5, "Ben", date("2026-01-31T14:30:00"), False, "x"),
                (3, 10.5, "7", date("2026-02-01"), "yes", "7"),
                (4, None, None, None, None, None),
            ]
        }
    )
    measures = [{"column": "Id", "fn": "sum"}]
    data = data_of(workbook, "aggregate", sheet="S", where=[condition], groupBy=["Id"], measures=measures)
    assert [row[0] for row in data["rows"]] == ids


class TestQuery:
    def test_a_select_returns_columns_and_rows(self, workbook: PlainWorkbook) -> None:
        sql = 'select "Region", sum("Price") as p from Sales where _row < 8 group by lower("Region") order by p desc'
        data = data_of(workbook, "sql_query", query=sql)
        assert (data["columns"], data["rows"][0]) == (["Region", "p"], ["East", 4])

    def test_more_rows_than_the_limit_are_said(self, workbook: PlainWorkbook) -> None:
        result = result_of(workbook, "sql_query", query="select * from Sales", limit=2)
        assert (result.truncated, result.summary) == (True, "the query returned more than 2 rows")

    def test_an_error_of_sql_is_explained(self, workbook: PlainWorkbook) -> None:
        assert error_of(workbook, "sql_query", query="select nothing from nowhere")[0] == "SQL_ERROR"
