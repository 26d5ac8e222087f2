"""What a call that changed the workbook returns: what has changed, and whether it brought errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.apps.sheets.tools.outcomes import counted, shown
from shared.apps.sheets.workbook import Applied, CellAt, ChangedRange
from shared.tools.result import Change, ToolResult

_MOST_RANGES = 20
_LONGEST_SAMPLE = 60


def receipt(planned: ToolResult, applied: Applied, version: int, meanwhile: Sequence[str]) -> ToolResult:
    """Return the result of a published change.

    `planned` is what the tool has said of it. `meanwhile` says what people have changed since the model's last call.
    """
    data: dict[str, Any] = {
        "changed": [{"range": _place(each), "cells": each.cells} for each in applied.changed[:_MOST_RANGES]],
        "recalculated": applied.recalculated,
        "preview": {_address(each): _sample(each) for each in applied.preview},
        "errorsIntroduced": {_address(each): shown(each.content) for each in applied.errors_introduced},
    }
    warnings = [*planned.warnings, *meanwhile]
    errors = ""
    if applied.errors:
        warnings.append(
            f"{counted(applied.errors, 'cell')} had a value before and is an error now: correct the change, or call "
            "undo_last_change"
        )
        errors = f", {counted(applied.errors, 'new error')}"
    return ToolResult(
        ok=True,
        summary=f"{planned.summary}: {counted(applied.written + applied.recalculated, 'cell')} changed{errors}",
        data=data,
        changes=changes_of(applied.changed),
        version=version,
        truncated=len(applied.changed) > _MOST_RANGES,
        warnings=tuple(warnings),
    )


def undo_receipt(title: str, changed: Sequence[ChangedRange], version: int) -> ToolResult:
    """Return the result of an undo; `title` is that of the change that was undone."""
    data = {"undone": title, "changed": [{"range": _place(each), "cells": each.cells} for each in changed[:20]]}
    return ToolResult(ok=True, summary=f"Undid “{title}”", data=data, changes=changes_of(changed), version=version)


def changes_of(changed: Sequence[ChangedRange]) -> tuple[Change, ...]:
    """Return the changed ranges as the events of the job name them."""
    return tuple(Change(kind="range", id=_place(each), count=each.cells) for each in changed[:_MOST_RANGES])


def _place(changed: ChangedRange) -> str:
    return f"{changed.sheet}!{changed.range}"


def _address(at: CellAt) -> str:
    return f"{at.sheet}!{at.cell}"


def _sample(at: CellAt) -> Any:
    value = shown(at.content)
    return value[:_LONGEST_SAMPLE] if isinstance(value, str) else value
