"""The tool `sql_query`: a SELECT over the sheets."""

from __future__ import annotations

from pydantic import Field

from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, counted, fitting, found, tidy, tool_function
from shared.apps.sheets.workbook import Workbook
from shared.schema import Schema
from shared.tools.tool import Tool


class QueryArguments(Schema):
    query: str = Field(min_length=1, max_length=4_000, description="one SELECT of SQLite")
    limit: int = Field(default=50, ge=1, le=200)


@tool_function
def sql_query(workbook: Workbook, arguments: QueryArguments) -> Plan:
    """Return the rows that the query finds."""
    table = workbook.query(arguments.query, limit=arguments.limit)
    rows = [[tidy(value) for value in row] for row in table.rows]
    fit = fitting(rows)
    cut = table.truncated or len(fit) < len(rows)
    summary = f"the query returned {'more than ' if table.truncated else ''}{counted(len(rows), 'row')}"
    return found(summary, {"columns": list(table.columns), "rows": fit}, truncated=cut)


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "sql_query",
    "Run one SELECT (SQLite). Each sheet is a table with its name in double quotes; its columns are named after the "
    "header row, and `_row` is the row in the sheet. Dates are ISO texts.",
    QueryArguments,
    sql_query,
    title=lambda _: "Query the workbook",
)
