"""The tool `change_structure`: insert or delete rows or columns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.apps.sheets.addresses import MOST_COLUMNS, MOST_ROWS, BadAddress, column_name, column_number
from shared.apps.sheets.ops import ChangeStructure
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, counted, tool_function
from shared.apps.sheets.tools.places import sheet_named
from shared.apps.sheets.workbook import SheetErrorCode, SheetInfo, Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_ROWS_AT_ONCE = 100_000
MOST_COLUMNS_AT_ONCE = 500


class StructureArguments(Schema):
    sheet: str = Field(max_length=200)
    action: Literal["insert_rows", "delete_rows", "insert_columns", "delete_columns"]
    at: int | str = Field(description="the first row, such as 5, or the first column, such as C or 3")
    count: int = Field(default=1, ge=1)


@tool_function
def change_structure(workbook: Workbook, arguments: StructureArguments) -> Plan:
    """Insert before `at`, or delete from `at` on. References of formulas follow."""
    sheet = sheet_named(workbook, arguments.sheet)
    of_rows = arguments.action.endswith("rows")
    at = _position(arguments.at, of_rows=of_rows)
    _check(sheet, arguments, at, of_rows=of_rows)
    verb = "Insert" if arguments.action.startswith("insert") else "Delete"
    where = f"row {at}" if of_rows else f"column {column_name(at)}"
    preposition = "before" if verb == "Insert" else "from"
    what = counted(arguments.count, "row" if of_rows else "column")
    op = ChangeStructure(sheet=sheet.name, action=arguments.action, at=at, count=arguments.count)
    return change(f"{verb} {what} {preposition} {where} of {sheet.name}", op)


def _position(at: int | str, *, of_rows: bool) -> int:
    text = str(at).strip()
    if not of_rows and not text.isdecimal():
        try:
            return column_number(text) if text.isascii() and text.isalpha() and len(text) <= 3 else 0
        except BadAddress:
            return 0
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 7 else 0


def _check(sheet: SheetInfo, arguments: StructureArguments, at: int, *, of_rows: bool) -> None:
    most_at, most_count = (MOST_ROWS, MOST_ROWS_AT_ONCE) if of_rows else (MOST_COLUMNS, MOST_COLUMNS_AT_ONCE)
    used, unit = (sheet.rows, "row") if of_rows else (sheet.columns, "column")
    if not 1 <= at <= most_at:
        hint = f"give the number of a {unit} from 1 to {most_at}" + ("" if of_rows else ", or its letters")
        raise WorkbookRefusal(SheetErrorCode.BAD_RANGE, f"{str(arguments.at)[:20]!r} is no {unit}", hint=hint)
    if arguments.count > most_count:
        raise WorkbookRefusal(
            SheetErrorCode.RANGE_TOO_LARGE,
            f"{arguments.count:,} {unit}s are too many for one call; at most {most_count:,} are allowed",
            hint="make several calls",
        )
    if arguments.action.startswith("delete") and at > used:
        raise WorkbookRefusal(
            SheetErrorCode.NOTHING_FOUND, f"{sheet.name} has no content from {unit} {at} on", hint=f"it ends at {used}"
        )
    if arguments.action.startswith("insert") and used + arguments.count > most_at:
        raise WorkbookRefusal(SheetErrorCode.BAD_RANGE, f"a sheet has at most {most_at:,} {unit}s", hint="insert fewer")


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "change_structure",
    "Insert or delete whole rows or columns of a sheet. References in formulas are adapted.",
    StructureArguments,
    change_structure,
    title=lambda arguments: f"{arguments.action.replace('_', ' ').capitalize()} in {arguments.sheet}",
)
