"""The tool `search`: cells that contain a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from shared.apps.sheets.addresses import Cell
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.tools.outcomes import (
    Plan,
    SheetEffect,
    counted,
    fitting,
    found,
    shown,
    tool_function,
)
from shared.apps.sheets.tools.places import rows_in, sheet_named, used_area
from shared.apps.sheets.workbook import SheetInfo, Workbook
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_CELLS = 2_000_000
"""How many cells one search reads at most."""


class SearchArguments(Schema):
    text: str = Field(min_length=1, max_length=200)
    sheet: str | None = Field(default=None, max_length=200, description="one sheet; omit it for all sheets")
    match: Literal["contains", "exact", "starts"] = "contains"
    in_: Literal["values", "formulas"] = Field(default="values", alias="in")
    limit: int = Field(default=20, ge=1, le=50)


@tool_function
def search(workbook: Workbook, arguments: SearchArguments) -> Plan:
    """Return the cells that contain the text, without regard to case, sheet by sheet and row by row."""
    sheets = workbook.sheets if arguments.sheet is None else [sheet_named(workbook, arguments.sheet)]
    hits: list[dict[str, Any]] = []
    left, more, unread = MOST_CELLS, False, []
    for sheet in sheets:
        if not sheet.rows or more:
            continue
        if (left := left - sheet.rows * sheet.columns) < 0:
            unread.append(sheet.name)
            continue
        for hit in _hits(workbook, sheet, arguments):
            if len(hits) == arguments.limit:
                more = True
                break
            hits.append(hit)
    fit = fitting(hits)
    warnings = [f"not searched, because there are too many cells: {', '.join(unread[:10])}"] if unread else []
    summary = f"found {counted(len(hits), 'cell')}{' and more' if more else ''} with “{arguments.text[:60]}”"
    data = {"found": fit, "more": more or len(fit) < len(hits)}
    return found(summary, data, truncated=bool(data["more"]), warnings=warnings)


def _hits(workbook: Workbook, sheet: SheetInfo, arguments: SearchArguments) -> Iterator[dict[str, Any]]:
    wanted = arguments.text.casefold()
    for number, row in enumerate(rows_in(workbook, sheet.name, used_area(sheet)), start=1):
        for column, cell in enumerate(row, start=1):
            texts = _texts(cell, arguments.in_)
            if any(_matches(text.casefold(), wanted, arguments.match) for text in texts):
                value = cell.formula if arguments.in_ == "formulas" else shown(cell)
                yield {"sheet": sheet.name, "cell": str(Cell(number, column)), "value": value}


def _texts(cell: CellContent, where: str) -> tuple[str, ...]:
    """Return what can be found of a cell: its formula, or its value as it is stored and as it is shown."""
    if where == "formulas":
        return (cell.formula,) if cell.formula is not None else ()
    value = () if cell.value is None else (str(cell.value),)
    return (*value, *(each for each in (cell.text, cell.iso) if each is not None))


def _matches(text: str, wanted: str, match: str) -> bool:
    if match == "exact":
        return text.strip() == wanted.strip()
    return text.startswith(wanted) if match == "starts" else wanted in text


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "search",
    "Find cells by a text in their values or formulas.",
    SearchArguments,
    search,
    title=lambda arguments: f"Search for “{arguments.text}”",
)
