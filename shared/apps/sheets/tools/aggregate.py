"""The tool `aggregate`: totals, averages and counts of a table, in groups."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from shared.apps.sheets.cells import CellContent, Scalar
from shared.apps.sheets.tools.conditions import Condition, row_test
from shared.apps.sheets.tools.outcomes import (
    Plan,
    SheetEffect,
    counted,
    fitting,
    found,
    shown,
    tidy,
    tool_function,
)
from shared.apps.sheets.tools.places import has_content, nearest, sheet_named
from shared.apps.sheets.tools.tables import Table, check_scan, is_total, table_of
from shared.apps.sheets.workbook import SheetErrorCode, Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.tool import Tool

_FUNCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "median": statistics.median,
}


class Measure(Schema):
    """One figure of each group."""

    column: str = Field(max_length=200, description="name in the header row, or letters")
    fn: Literal["sum", "avg", "min", "max", "count", "count_distinct", "median"]

    @property
    def label(self) -> str:
        return f"{self.fn} of {self.column}"


class OrderBy(Schema):
    """How to order the result: by a column of `groupBy`, or by a measure such as `sum of Units`."""

    column: str = Field(max_length=220)
    descending: bool = False


class AggregateArguments(Schema):
    sheet: str = Field(max_length=200)
    range: str | None = Field(default=None, max_length=64, description="omit it for the sheet's whole table")
    group_by: tuple[str, ...] = Field(default=(), max_length=8)
    measures: tuple[Measure, ...] = Field(min_length=1, max_length=12)
    where: tuple[Condition, ...] = Field(default=(), max_length=12)
    order_by: OrderBy | None = None
    limit: int = Field(default=50, ge=1, le=200)


@tool_function
def aggregate(workbook: Workbook, arguments: AggregateArguments) -> Plan:
    """Return one row for each group with its figures, or one row in all without `groupBy`."""
    table = table_of(workbook, sheet_named(workbook, arguments.sheet), arguments.range)
    check_scan(table.data.size, table)
    groups, used, totals = _groups(workbook, table, arguments)
    warnings: list[str] = []
    rows = [[*key, *_figures(cells, arguments.measures, warnings)] for key, cells in groups.items()]
    labels = [*_group_names(table, arguments), *(_label(table, each) for each in arguments.measures)]
    rows = _ordered(rows, labels, arguments)
    if totals:
        warnings.append(f"row {totals[0]} looks like a row of totals and was counted as well; exclude it with `where`")
    fit = fitting(rows[: arguments.limit])
    data: dict[str, Any] = {"columns": labels, "rows": fit, "rowsUsed": used, "data": f"{table.data}"}
    summary = f"computed {', '.join(labels[len(arguments.group_by) :])} from {counted(used, 'row')}"
    cut = len(fit) < len(rows)
    return found(summary, data | ({"groups": len(rows)} if cut else {}), truncated=cut, warnings=_unique(warnings))


Group = list[list[CellContent]]


def _groups(
    workbook: Workbook, table: Table, arguments: AggregateArguments
) -> tuple[dict[tuple[Scalar, ...], Group], int, list[int]]:
    """Return the measured cells of each group, how many rows they are from, and the numbers of rows of totals."""
    keys = [table.column(name) - table.first_column for name in arguments.group_by]
    measured = [table.column(each.column) - table.first_column for each in arguments.measures]
    test = row_test(table, arguments.where)
    groups: dict[tuple[Scalar, ...], Group] = {} if keys else {(): [[] for _ in measured]}
    used, totals = 0, []
    for number, row in table.rows(workbook):
        if not test(row):
            continue
        used += 1
        if is_total(row) and number >= table.data.last.row - 1:
            totals.append(number)
        group = groups.setdefault(tuple(shown(row[at]) for at in keys), [[] for _ in measured])
        for cells, at in zip(group, measured, strict=True):
            if has_content(row[at]):
                cells.append(row[at])
    return groups, used, totals


def _figures(group: Group, measures: Sequence[Measure], warnings: list[str]) -> list[Scalar]:
    return [_figure(cells, each, warnings) for cells, each in zip(group, measures, strict=True)]


def _figure(cells: Sequence[CellContent], measure: Measure, warnings: list[str]) -> Scalar:
    if measure.fn == "count":
        return len(cells)
    if measure.fn == "count_distinct":
        return len({shown(cell) for cell in cells})
    dates = [cell.iso for cell in cells if cell.iso is not None]
    if dates and len(dates) == len(cells) and measure.fn in {"min", "max"}:
        return min(dates) if measure.fn == "min" else max(dates)
    numbers = [number for cell in cells if (number := _number(cell)) is not None]
    if len(numbers) < len(cells):
        examples = sorted({str(shown(cell))[:30] for cell in cells if _number(cell) is None})[:3]
        warnings.append(f"{measure.column}: cells that are no numbers were left out, such as {', '.join(examples)}")
    return tidy(_FUNCTIONS[measure.fn](numbers)) if numbers else None


def _number(cell: CellContent) -> float | None:
    value = cell.value
    return None if cell.error or isinstance(value, str | bool) else value


def _group_names(table: Table, arguments: AggregateArguments) -> list[str]:
    return [table.name_of(table.column(name)) for name in arguments.group_by]


def _label(table: Table, measure: Measure) -> str:
    return f"{measure.fn} of {table.name_of(table.column(measure.column))}"


def _ordered(rows: list[list[Scalar]], labels: Sequence[str], arguments: AggregateArguments) -> list[list[Scalar]]:
    if arguments.order_by is None:
        return sorted(rows, key=lambda row: [sort_key(each) for each in row[: len(arguments.group_by)]])
    asked = arguments.order_by.column.casefold()
    spellings = [*(name.casefold() for name in arguments.group_by), *(m.label.casefold() for m in arguments.measures)]
    folded = [label.casefold() for label in labels]
    at = next((where.index(asked) for where in (folded, spellings) if asked in where), None)
    if at is None:
        raise WorkbookRefusal(
            SheetErrorCode.UNKNOWN_COLUMN,
            f"the result has no column {arguments.order_by.column[:64]!r}",
            hint=f"order by {nearest(arguments.order_by.column, labels)}",
        )
    filled = sorted((row for row in rows if row[at] is not None), key=lambda row: sort_key(row[at]))
    if arguments.order_by.descending:
        filled.reverse()
    return [*filled, *(row for row in rows if row[at] is None)]


def sort_key(value: Scalar) -> tuple[int, float, str]:
    """Return the key that sorts as a spreadsheet does: numbers, texts, booleans, and empty cells last."""
    if value is None or value == "":
        return (3, 0, "")
    if isinstance(value, bool):
        return (2, value, "")
    return (1, 0, value.casefold()) if isinstance(value, str) else (0, value, "")


def _unique(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:4]


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "aggregate",
    "Compute sums, averages, counts, minima, maxima and medians of a table, in groups and under conditions. "
    "Use it for every figure that you state.",
    AggregateArguments,
    aggregate,
    title=lambda arguments: f"Compute {', '.join(each.label for each in arguments.measures)}",
)
