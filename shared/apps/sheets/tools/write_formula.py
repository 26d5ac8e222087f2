"""The tool `write_formula`: one formula, filled into a range."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.apps.sheets.ops import FillFormula
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, tool_function
from shared.apps.sheets.tools.places import area_named, check_size, refuse_to_overwrite, sheet_named
from shared.apps.sheets.workbook import Workbook
from shared.schema import Schema
from shared.texts import in_words
from shared.tools.tool import Tool

MOST_CELLS = 200_000


class FormulaArguments(Schema):
    sheet: str = Field(max_length=200)
    range: str = Field(max_length=64, description="all cells that get the formula, such as D2:D500")
    formula: Annotated[
        str,
        Field(
            min_length=2,
            max_length=8_192,
            pattern=r"^\s*=",
            description="the formula of the top-left cell, such as =B2*C2; its relative references move in the others",
        ),
        in_words("must be a formula that begins with =, such as =B2*C2"),
    ]
    allow_overwrite: bool = False


@tool_function
def write_formula(workbook: Workbook, arguments: FormulaArguments) -> Plan:
    """Fill the formula into the range. Refuse to replace cells with content, unless that is allowed."""
    sheet = sheet_named(workbook, arguments.sheet)
    area = area_named(sheet, arguments.range)
    check_size(area, MOST_CELLS, "fill only the rows that have data")
    if not arguments.allow_overwrite:
        refuse_to_overwrite(workbook, sheet, area)
    formula = arguments.formula.strip()
    op = FillFormula(sheet=sheet.name, range=str(area), formula=formula)
    return change(f"Fill {sheet.name}!{area} with {formula[:80]}", op)


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "write_formula",
    "Fill a range with a formula, in English function names with commas between arguments. Fill all rows in one call.",
    FormulaArguments,
    write_formula,
    title=lambda arguments: f"Fill {arguments.sheet}!{arguments.range} with {arguments.formula}",
)
