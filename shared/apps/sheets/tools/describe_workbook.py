"""The tool `describe_workbook`: which sheets there are, and what the columns of each contain."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from pydantic import Field

from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, counted, fitting, found, tool_function
from shared.apps.sheets.tools.places import sheet_named
from shared.apps.sheets.tools.profiles import ColumnProfile, profiles_of
from shared.apps.sheets.tools.tables import Table, is_total, table_of
from shared.apps.sheets.workbook import DefinedName, SheetInfo, Workbook
from shared.schema import Schema
from shared.tools.tool import Tool

_PROFILED_CELLS = 60_000
_PROFILED_COLUMNS = 200
_BYTES_PER_WORKBOOK = 4_400
_BYTES_OF_NAMES = 800


class DescribeArguments(Schema):
    sheet: str | None = Field(default=None, max_length=200, description="one sheet in detail; omit it for all sheets")


@tool_function
def describe_workbook(workbook: Workbook, arguments: DescribeArguments) -> Plan:
    """Return all sheets with their columns in short, or one sheet with everything about its columns."""
    if arguments.sheet is not None:
        sheet = sheet_named(workbook, arguments.sheet)
        data, cut = describe_sheet(workbook, sheet, full=True, most=_BYTES_PER_WORKBOOK)
        return found(f"described {sheet.name}", data, truncated=cut)
    data, cut = describe_sheets(workbook, _BYTES_PER_WORKBOOK, full=len(workbook.sheets) == 1)
    return found(f"described {counted(len(workbook.sheets), 'sheet')}", data, truncated=cut)


def describe_sheets(workbook: Workbook, most: int, *, full: bool) -> tuple[dict[str, Any], bool]:
    """Return a description of all sheets in at most `most` bytes of JSON, and whether something was left out."""
    names = _names(workbook)
    most -= len(json.dumps(names, ensure_ascii=False).encode())
    each = max(300, most // max(1, len(workbook.sheets)))
    described = [describe_sheet(workbook, sheet, full=full, most=each) for sheet in workbook.sheets[:40]]
    sheets = fitting([data for data, _ in described], most)
    cut = len(sheets) < len(workbook.sheets) or any(cut for _, cut in described)
    data: dict[str, Any] = {"sheets": sheets, **names}
    if len(sheets) < len(workbook.sheets):
        data["otherSheets"] = fitting([sheet.name for sheet in workbook.sheets[len(sheets) :]], 300)
    return data, cut


def _names(workbook: Workbook) -> dict[str, Any]:
    """Return the defined names in few bytes, and how many were left out; nothing if there is none."""
    named = [_named(name) for name in workbook.names]
    kept = fitting(named, _BYTES_OF_NAMES)
    left_out = {"namesLeftOut": len(named) - len(kept)} if len(kept) < len(named) else {}
    return {"names": kept, **left_out} if named else {}


def _named(name: DefinedName) -> dict[str, str]:
    known = {"name": name.name, "formula": name.formula[:200]}
    return known if name.sheet is None else {**known, "sheet": name.sheet}


def describe_sheet(workbook: Workbook, sheet: SheetInfo, *, full: bool, most: int) -> tuple[dict[str, Any], bool]:
    """Return the description of a sheet in about `most` bytes of JSON, and whether columns were left out."""
    data: dict[str, Any] = {"sheet": sheet.name, "rows": sheet.rows, "columns": sheet.columns}
    if sheet.hidden:
        data["hidden"] = True
    if sheet.protected:
        data["protected"] = True
    if not (sheet.rows and sheet.columns):
        return {**data, "empty": True}, False
    table = table_of(workbook, sheet)
    profiles, seen, total = _profiles(workbook, table)
    data |= {"headerRow": table.header or "none", "data": str(table.data)}
    if seen < table.data.rows:
        data["profiledRows"] = seen
    if total is not None:
        data["totalRow"] = total
    columns = fitting([each.full() if full else each.short() for each in profiles], most - 200)
    if full and len(columns) < len(profiles):
        columns = fitting([each.short() for each in profiles], most - 200)
    data["fields"] = columns
    left_out = len(table.names) - len(columns)
    if left_out:
        data["fieldsLeftOut"] = left_out
    return data, bool(left_out)


def _profiles(workbook: Workbook, table: Table) -> tuple[tuple[ColumnProfile, ...], int, int | None]:
    """Return the profiles of the columns, from how many rows they are, and the number of a row of totals."""
    names = table.names[:_PROFILED_COLUMNS]
    rows = list(islice(table.rows(workbook), max(20, _PROFILED_CELLS // max(1, len(table.names)))))
    number, last = rows[-1] if rows else (0, ())
    total = number if rows and number == table.data.last.row and is_total(last) else None
    values = (row[: len(names)] for each, row in rows if each != total)
    whole = bool(rows) and number == table.data.last.row
    return profiles_of(names, table.first_column, values), table.data.rows if whole else len(rows), total


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "describe_workbook",
    "Say which sheets there are: sizes, header row, columns with type, minimum, maximum and samples; which are "
    "protected; and the workbook's defined names, which formulas can use. Call it first.",
    DescribeArguments,
    describe_workbook,
    title=lambda arguments: f"Look at {arguments.sheet or 'the workbook'}",
)
