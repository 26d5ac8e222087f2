"""The tool `set_number_format`: how numbers and dates of a range are shown."""

from __future__ import annotations

from pydantic import Field

from shared.apps.sheets.ops import SetNumberFormat
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, tool_function
from shared.apps.sheets.tools.places import area_named, check_size, sheet_named
from shared.apps.sheets.workbook import Workbook
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_CELLS = 200_000


class FormatArguments(Schema):
    sheet: str = Field(max_length=200)
    range: str = Field(max_length=64)
    format: str = Field(min_length=1, max_length=200, description="such as 0.00, #,##0, 0.0% or yyyy-mm-dd")


@tool_function
def set_number_format(workbook: Workbook, arguments: FormatArguments) -> Plan:
    """Set the format; no value changes."""
    sheet = sheet_named(workbook, arguments.sheet)
    area = area_named(sheet, arguments.range)
    check_size(area, MOST_CELLS, "format only the rows that have data")
    op = SetNumberFormat(sheet=sheet.name, range=str(area), format=arguments.format)
    return change(f"Show {sheet.name}!{area} as {arguments.format}", op)


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "set_number_format",
    "Set how the numbers or dates of a range are shown. Values do not change.",
    FormatArguments,
    set_number_format,
    title=lambda arguments: f"Show {arguments.sheet}!{arguments.range} as {arguments.format}",
)
