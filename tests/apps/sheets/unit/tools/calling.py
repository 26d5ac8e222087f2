"""Calls tools as the loop does: by name, with arguments in JSON."""

from __future__ import annotations

import json
from typing import Any

from shared.apps.sheets.ops import OPS, Op
from shared.apps.sheets.tools.outcomes import PlannedChange
from shared.apps.sheets.tools.toolbox import TOOLBOX
from shared.apps.sheets.workbook import Workbook
from shared.llm.model import ToolCall
from shared.tools.result import ToolResult
from shared.tools.tool import CheckedCall, Outcome

LARGEST_RESULT = 6_000
"""Bytes of the loop's budget, which no result of these tools reaches."""


def run(workbook: Workbook, name: str, **arguments: Any) -> Outcome[Any]:
    """Return the outcome of a call, or the toolbox's refusal as one."""
    checked = TOOLBOX.check(ToolCall("c1", name, json.dumps(arguments)), None)
    if not isinstance(checked, CheckedCall):
        return Outcome(checked)
    outcome = checked.tool.function(workbook, checked.arguments)
    assert len(outcome.result.for_model.encode()) < LARGEST_RESULT
    return outcome


def result_of(workbook: Workbook, name: str, **arguments: Any) -> ToolResult:
    return run(workbook, name, **arguments).result


def data_of(workbook: Workbook, name: str, **arguments: Any) -> dict[str, Any]:
    result = result_of(workbook, name, **arguments)
    assert result.ok, result.summary
    assert result.data is not None
    return result.data


def ops_of(workbook: Workbook, name: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return the changes of a call as JSON."""
    outcome = run(workbook, name, **arguments)
    assert outcome.result.ok, outcome.result.summary
    (planned,) = outcome.effects
    assert isinstance(planned, PlannedChange)
    ops: tuple[Op, ...] = planned.ops
    dumped: list[dict[str, Any]] = json.loads(OPS.dump_json(ops))
    return dumped


def error_of(workbook: Workbook, name: str, **arguments: Any) -> tuple[str, str]:
    """Return the error code and its message with the hint."""
    outcome = run(workbook, name, **arguments)
    assert not outcome.effects
    error = outcome.result.error
    assert error is not None, outcome.result.summary
    return error.code, f"{error.message} {error.hint} {' '.join(f'{each.field}: {each.rule}' for each in error.issues)}"
