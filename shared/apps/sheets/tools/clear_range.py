"""The tool `clear_range`: remove the contents of a range."""

from __future__ import annotations

from pydantic import Field

from shared.apps.sheets.ops import ClearRange
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, counted, tool_function
from shared.apps.sheets.tools.places import area_named, occupied_in, sheet_named
from shared.apps.sheets.tools.tables import MOST_SCANNED_CELLS
from shared.apps.sheets.workbook import SheetErrorCode, Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.tool import Tool


class ClearArguments(Schema):
    sheet: str = Field(max_length=200)
    range: str = Field(max_length=64)


@tool_function
def clear_range(workbook: Workbook, arguments: ClearArguments) -> Plan:
    """Clear the contents of the range; formats and the cells around it stay."""
    sheet = sheet_named(workbook, arguments.sheet)
    area = area_named(sheet, arguments.range)
    small = min(area.last.row, sheet.rows) * min(area.last.column, sheet.columns) <= MOST_SCANNED_CELLS
    cells = len(occupied_in(workbook, sheet, area)) if small else None
    if cells == 0:
        raise WorkbookRefusal(SheetErrorCode.NOTHING_FOUND, f"{sheet.name}!{area} is empty already")
    how_many = "all cells" if cells is None else counted(cells, "cell")
    return change(f"Clear {how_many} of {sheet.name}!{area}", ClearRange(sheet=sheet.name, range=str(area)))


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "clear_range",
    "Clear the contents of a range. Cells do not move; to remove rows or columns use change_structure.",
    ClearArguments,
    clear_range,
    title=lambda arguments: f"Clear {arguments.sheet}!{arguments.range}",
)
