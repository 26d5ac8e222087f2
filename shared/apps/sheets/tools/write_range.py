"""The tool `write_range`: values into a range."""

from __future__ import annotations

from pydantic import Field

from shared.apps.sheets.addresses import Area
from shared.apps.sheets.ops import Input, WriteValues
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, counted, tool_function
from shared.apps.sheets.tools.places import area_at, area_named, check_size, refuse_to_overwrite, sheet_named
from shared.apps.sheets.workbook import SheetErrorCode, Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_CELLS = 5_000
LONGEST_TEXT = 32_767
"""Characters of a cell, as in Excel."""


class WriteArguments(Schema):
    sheet: str = Field(max_length=200)
    start: str = Field(max_length=64, description="the top-left cell, such as B2")
    values: tuple[tuple[Input, ...], ...] = Field(
        min_length=1, description="rows of values; a text stays a text, also one that begins with =; null clears a cell"
    )
    allow_overwrite: bool = False


@tool_function
def write_range(workbook: Workbook, arguments: WriteArguments) -> Plan:
    """Write the rows as they are typed. Refuse to replace cells with content, unless that is allowed."""
    sheet = sheet_named(workbook, arguments.sheet)
    start = area_named(sheet, arguments.start).first
    columns = max(len(row) for row in arguments.values)
    if not columns:
        raise WorkbookRefusal(SheetErrorCode.BAD_RANGE, "all rows are empty", hint="use clear_range to clear cells")
    area = area_at(start, len(arguments.values), columns)
    check_size(area, MOST_CELLS, "write it in several calls; for computed values use write_formula")
    _check_texts(arguments)
    if not arguments.allow_overwrite:
        refuse_to_overwrite(workbook, sheet, area)
    op = WriteValues(sheet=sheet.name, start=str(start), values=arguments.values)
    title = f"Write {counted(area.size, 'cell')} to {sheet.name}!{area}"
    return change(title, op, warnings=_warnings(arguments, area))


def _check_texts(arguments: WriteArguments) -> None:
    if any(isinstance(each, str) and len(each) > LONGEST_TEXT for row in arguments.values for each in row):
        raise WorkbookRefusal(
            SheetErrorCode.RANGE_TOO_LARGE,
            f"a text is longer than {LONGEST_TEXT:,} characters, the most that a cell has",
            hint="write a shorter text",
        )


def _warnings(arguments: WriteArguments, area: Area) -> list[str]:
    if any(isinstance(each, str) and each.startswith("=") for row in arguments.values for each in row):
        return [f"texts that begin with = were written to {area} as texts; use write_formula for formulas"]
    return []


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "write_range",
    "Write typed values. For values that can be computed from other cells use write_formula instead.",
    WriteArguments,
    write_range,
    title=lambda arguments: f"Write to {arguments.sheet}!{arguments.start}",
)
