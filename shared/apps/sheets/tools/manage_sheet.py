"""The tool `manage_sheet`: add, rename, delete or duplicate a sheet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shared.apps.sheets.ops import ManageSheet
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, tool_function
from shared.apps.sheets.tools.places import sheet_named
from shared.apps.sheets.workbook import SheetErrorCode, Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_SHEETS = 100


def _valid_name(name: str) -> str:
    if not name.strip() or set(name) & set("[]:*?/\\") or name.strip("'") != name or not name.isprintable():
        raise ValueError(r"must not be empty, contain [ ] : * ? / \ or begin or end with an apostrophe")
    return name


SheetName = Annotated[str, Field(min_length=1, max_length=31), AfterValidator(_valid_name)]


class ManageArguments(Schema):
    action: Literal["add", "rename", "delete", "duplicate"]
    sheet: str = Field(max_length=200, description="an existing sheet; for `add` the new sheet's name")
    new_name: SheetName | None = Field(default=None, description="for `rename` and `duplicate`")


@tool_function
def manage_sheet(workbook: Workbook, arguments: ManageArguments) -> Plan:
    """Change which sheets there are."""
    if arguments.action == "add":
        return _added(workbook, arguments.new_name or arguments.sheet)
    sheet = sheet_named(workbook, arguments.sheet)
    if arguments.action == "delete":
        if len(workbook.sheets) == 1:
            raise WorkbookRefusal(
                SheetErrorCode.CONFLICT, "a workbook keeps at least one sheet", hint="clear the sheet instead"
            )
        return change(f"Delete the sheet {sheet.name}", ManageSheet(action="delete", sheet=sheet.name))
    name = arguments.new_name
    if name is None:
        raise WorkbookRefusal(
            SheetErrorCode.BAD_RANGE, f"{arguments.action} needs newName", hint="give the sheet's new name"
        )
    check_new_name(workbook, name, renamed=sheet.name if arguments.action == "rename" else None)
    verb = "Rename" if arguments.action == "rename" else "Copy"
    op = ManageSheet(action=arguments.action, sheet=sheet.name, new_name=name)
    return change(f"{verb} the sheet {sheet.name} to {name}", op)


def check_new_name(workbook: Workbook, name: str, *, renamed: str | None = None) -> None:
    """Raises WorkbookRefusal if there is a sheet with this name already, or if there are too many sheets."""
    others = [sheet.name for sheet in workbook.sheets if sheet.name != renamed]
    if name.casefold() in {each.casefold() for each in others}:
        raise WorkbookRefusal(
            SheetErrorCode.WOULD_OVERWRITE, f"there is a sheet {name!r} already", hint="choose another name"
        )
    if renamed is None and len(others) >= MOST_SHEETS:
        raise WorkbookRefusal(
            SheetErrorCode.RANGE_TOO_LARGE, f"a workbook has at most {MOST_SHEETS} sheets", hint="delete one first"
        )


def _added(workbook: Workbook, name: str) -> Plan:
    try:
        _valid_name(name)
    except ValueError as error:
        raise WorkbookRefusal(SheetErrorCode.BAD_RANGE, f"the sheet's name {error!s}", hint="choose another") from None
    if len(name) > 31:
        raise WorkbookRefusal(SheetErrorCode.BAD_RANGE, "a sheet's name has at most 31 characters", hint="shorten it")
    check_new_name(workbook, name)
    return change(f"Add the sheet {name}", ManageSheet(action="add", sheet=name, new_name=name))


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "manage_sheet",
    "Add, rename, delete or duplicate a sheet.",
    ManageArguments,
    manage_sheet,
    title=lambda arguments: f"{arguments.action.capitalize()} the sheet {arguments.sheet}",
)
