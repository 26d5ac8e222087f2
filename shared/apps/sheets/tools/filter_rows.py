"""The tool `filter_rows`: hide the rows that do not meet conditions, or copy those that do to a new sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.ops import HideRows, Input, ManageSheet, SetNumberFormat, WriteValues
from shared.apps.sheets.tools.conditions import Condition, row_test
from shared.apps.sheets.tools.manage_sheet import SheetName, check_new_name
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, counted, tool_function
from shared.apps.sheets.tools.places import has_content, sheet_named
from shared.apps.sheets.tools.tables import Table, check_scan, table_of
from shared.apps.sheets.workbook import SheetErrorCode, Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_COPIED_CELLS = 50_000


class FilterArguments(Schema):
    sheet: str = Field(max_length=200)
    range: str | None = Field(default=None, max_length=64, description="omit it for the sheet's whole table")
    where: tuple[Condition, ...] = Field(min_length=1, max_length=12)
    to: Literal["hide", "new_sheet"] = Field(
        description="hide the rows that do not fit, or copy those that do as values"
    )
    new_sheet: SheetName | None = Field(default=None, description="name of the new sheet")


Row = tuple[int, Sequence[CellContent]]


@tool_function
def filter_rows(workbook: Workbook, arguments: FilterArguments) -> Plan:
    """Hide or copy rows; no row is changed or removed."""
    sheet = sheet_named(workbook, arguments.sheet)
    table = table_of(workbook, sheet, arguments.range)
    check_scan(table.data.size, table)
    test = row_test(table, arguments.where)
    kept: list[Row] = [(number, row) for number, row in table.rows(workbook) if test(row)]
    if not kept:
        raise WorkbookRefusal(
            SheetErrorCode.NOTHING_FOUND,
            f"no row of {sheet.name}!{table.data} meets the conditions",
            hint="look at the values of the column with aggregate or describe_workbook",
        )
    if arguments.to == "hide":
        return _hidden(table, [number for number, _ in kept])
    return _copied(workbook, table, kept, arguments.new_sheet or f"{sheet.name[:20]} filtered")


def _hidden(table: Table, kept: Sequence[int]) -> Plan:
    rows: list[tuple[int, int]] = []
    expected = table.data.first.row
    for number in [*kept, table.data.last.row + 1]:
        if number > expected:
            rows.append((expected, number - 1))
        expected = number + 1
    title = f"Show {counted(len(kept), 'row')} of {table.sheet.name}!{table.data} and hide the others"
    return change(title, HideRows(sheet=table.sheet.name, rows=tuple(rows)))


def _copied(workbook: Workbook, table: Table, kept: Sequence[Row], name: str) -> Plan:
    columns = table.data.columns
    if (cells := (len(kept) + 1) * columns) > MOST_COPIED_CELLS:
        raise WorkbookRefusal(
            SheetErrorCode.RANGE_TOO_LARGE,
            f"{len(kept):,} rows have {cells:,} cells; at most {MOST_COPIED_CELLS:,} are copied",
            hint="narrow the conditions, or hide rows instead",
        )
    check_new_name(workbook, name)
    header: tuple[Input, ...] = tuple(table.names)
    rows = [tuple(cell.value for cell in row) for _, row in kept]
    title = f"Copy {counted(len(kept), 'row')} of {table.sheet.name}!{table.data} to the new sheet {name}"
    return change(
        title,
        ManageSheet(action="add", sheet=name, new_name=name),
        WriteValues(sheet=name, start="A1", values=(header, *rows)),
        *_date_formats(name, kept, columns),
        warnings=["formulas were copied as values"] if _has_formulas(kept) else [],
    )


def _date_formats(name: str, kept: Sequence[Row], columns: int) -> list[SetNumberFormat]:
    """Return the formats of the new columns with dates, which would else be shown as numbers."""
    formats = []
    for column in range(columns):
        dates = [row[column].iso for _, row in kept if row[column].iso is not None]
        if dates:
            area = Area(Cell(2, column + 1), Cell(len(kept) + 1, column + 1))
            shape = "yyyy-mm-dd hh:mm" if any("T" in str(each) for each in dates) else "yyyy-mm-dd"
            formats.append(SetNumberFormat(sheet=name, range=str(area), format=shape))
    return formats


def _has_formulas(kept: Sequence[Row]) -> bool:
    return any(cell.formula is not None and has_content(cell) for _, row in kept for cell in row)


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "filter_rows",
    "Show only the rows of a table that meet conditions, or copy them to a new sheet.",
    FilterArguments,
    filter_rows,
    title=lambda arguments: f"Filter {arguments.sheet}",
)
