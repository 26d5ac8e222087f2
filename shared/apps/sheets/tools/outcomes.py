"""What the tools return: a result for the model, and the changes that publishing then applies."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from shared.apps.sheets.cells import CellContent, Scalar
from shared.apps.sheets.engine_faults import transient_engine
from shared.apps.sheets.ops import Op
from shared.apps.sheets.workbook import Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.result import ToolResult, failed
from shared.tools.tool import Outcome

MOST_DATA_BYTES = 4_600
"""The most bytes of JSON of a result's `data`: below the loop's 6,000 bytes, so that the rest of the result fits."""

LONGEST_TEXT = 300
"""Characters of a cell's text that the model gets; the rest is cut off and marked with an ellipsis."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """The effect of a tool that changes: `ops`, and `again`, which plans the same call for a newer workbook."""

    ops: tuple[Op, ...]
    again: Callable[[Workbook], SheetOutcome]


@dataclass(frozen=True, slots=True)
class UndoLastChange:
    """The effect of `undo_last_change`: publishing returns to the version before the job's last change."""


SheetEffect: TypeAlias = PlannedChange | UndoLastChange
SheetOutcome: TypeAlias = Outcome[SheetEffect]
Plan: TypeAlias = Outcome[Op]
"""What a tool plans: a result, and the changes in the order in which the engine applies them."""

Arguments = TypeVar("Arguments", bound=Schema)


def found(summary: str, data: dict[str, Any], *, truncated: bool = False, warnings: Sequence[str] = ()) -> Plan:
    """Return the plan of a tool that reads: it changes nothing."""
    return Outcome(ToolResult(ok=True, summary=summary, data=data, truncated=truncated, warnings=tuple(warnings)))


def change(title: str, *ops: Op, warnings: Sequence[str] = ()) -> Plan:
    """Return the plan of a tool that changes. `title` says what the change does; the version gets it."""
    return Outcome(ToolResult(ok=True, summary=title, warnings=tuple(warnings)), ops)


def tool_function(plan: Callable[[Workbook, Arguments], Plan]) -> Callable[[Workbook, Arguments], SheetOutcome]:
    """Return the tool's function: it plans, and turns the workbook's refusals into results that say what to do.

    It raises StorageUnavailable if the engine's process has ended: the loop then calls it again with a new one.
    """

    @functools.wraps(plan)
    def run(workbook: Workbook, arguments: Arguments) -> SheetOutcome:
        try:
            with transient_engine():
                planned = plan(workbook, arguments)
        except WorkbookRefusal as refusal:
            return Outcome(refused(refusal))
        if not planned.effects:
            return Outcome(planned.result)
        return Outcome(planned.result, (PlannedChange(planned.effects, lambda newer: run(newer, arguments)),))

    return run


def refused(refusal: WorkbookRefusal) -> ToolResult:
    """Return the result of a call that the workbook has refused."""
    return failed(refusal.code, refusal.message, hint=refusal.hint)


def shown(cell: CellContent) -> Scalar:
    """Return the value of a cell for the model: dates in ISO form, errors by their names, long texts cut."""
    return tidy(cell.value if cell.iso is None else cell.iso)


def tidy(value: Scalar) -> Scalar:
    """Return a value without the noise of binary fractions (0.30000000000000004), and with long texts cut."""
    if isinstance(value, float):
        rounded = float(f"{value:.15g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + "…"
    return value


def fitting(items: Sequence[Any], most: int = MOST_DATA_BYTES) -> list[Any]:
    """Return as many of the items, from the first on, as fit into this many bytes of JSON."""
    kept, left = [], most
    for item in items:
        left -= len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if left < 0:
            break
        kept.append(item)
    return kept


def counted(number: int, what: str) -> str:
    """Return a number with its noun, such as `1 row` or `1,200 rows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
