"""The tool `undo_last_change`: take back the last change of this conversation turn."""

from __future__ import annotations

from shared.apps.sheets.tools.outcomes import SheetEffect, SheetOutcome, UndoLastChange
from shared.apps.sheets.workbook import Workbook
from shared.schema import Schema
from shared.tools.result import ToolResult
from shared.tools.tool import Outcome, Tool


class UndoArguments(Schema):
    """No arguments."""


def undo_last_change(_workbook: Workbook, _arguments: UndoArguments) -> SheetOutcome:
    """Ask publishing to return to the version before the last change that this job has made."""
    return Outcome(ToolResult(ok=True, summary="Undo the last change"), (UndoLastChange(),))


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "undo_last_change",
    "Undo the last change that you made in this answer, for example because it brought errors.",
    UndoArguments,
    undo_last_change,
)
