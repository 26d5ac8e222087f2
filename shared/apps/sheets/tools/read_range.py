"""The tool `read_range`: the values or formulas of a range."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, fitting, found, shown, tool_function
from shared.apps.sheets.tools.places import area_named, check_size, rows_in, sheet_named
from shared.apps.sheets.workbook import SheetInfo, Workbook
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_CELLS = 2_000
_NARROW = "read fewer rows or columns, or use aggregate, search or sql_query to find what you need"


class ReadArguments(Schema):
    sheet: str = Field(max_length=200)
    range: str = Field(max_length=64, description="such as A1:D20, or B:B")
    what: Literal["values", "formulas", "both"] = Field(
        default="values", description="`both` gives a cell with a formula as [value, formula]"
    )


@tool_function
def read_range(workbook: Workbook, arguments: ReadArguments) -> Plan:
    """Return the rows of the range as arrays: dates in ISO form, errors by their names, empty cells as null."""
    sheet = sheet_named(workbook, arguments.sheet)
    area = _with_content(sheet, area_named(sheet, arguments.range))
    check_size(area, MOST_CELLS, _NARROW)
    cells = list(rows_in(workbook, sheet.name, area))
    rows = fitting([[_shown(cell, arguments.what) for cell in row] for row in cells])
    data: dict[str, Any] = {"range": str(area), "rows": rows}
    if frozen := [
        str(Cell(area.first.row + down, area.first.column + across))
        for down, row in enumerate(cells)
        for across, cell in enumerate(row)
        if cell.frozen
    ]:
        data["frozen"] = frozen[:20]
    cut = len(rows) < len(cells)
    if cut:
        rest = replace(area, first=Cell(area.first.row + len(rows), area.first.column))
        data |= {"range": str(_first_rows(area, len(rows))) if rows else None, "continueWith": str(rest)}
    return found(f"read {sheet.name}!{area}", data, truncated=cut)


def _first_rows(area: Area, rows: int) -> Area:
    return replace(area, last=Cell(area.first.row + rows - 1, area.last.column))


def _with_content(sheet: SheetInfo, area: Area) -> Area:
    """Return the area without the rows and columns behind the last cell with content."""
    last = Cell(
        max(area.first.row, min(area.last.row, sheet.rows)),
        max(area.first.column, min(area.last.column, sheet.columns)),
    )
    return replace(area, last=last)


def _shown(cell: CellContent, what: str) -> Any:
    if cell.formula is None or what == "values":
        return shown(cell)
    return cell.formula if what == "formulas" else [shown(cell), cell.formula]


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "read_range",
    f"Read the cells of a range, at most {MOST_CELLS:,}. Do not read a large table to compute with it: use aggregate.",
    ReadArguments,
    read_range,
    title=lambda arguments: f"Read {arguments.sheet}!{arguments.range}",
)
