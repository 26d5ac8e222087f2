"""Sends the events "Step Functions Execution Status Change" to the functions whose rules match, as EventBridge does."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.template.filter_patterns import matches
from local.template.intrinsics import ACCOUNT, REGION
from local.template.template import EventRule

Invoke = Callable[[str, bytes], None]
"""Invoke a function by its name, without waiting for its response."""


class ExecutionEvents:
    """Makes an event of each execution that has ended, and invokes the functions of the rules that match it."""

    def __init__(self, rules: Iterable[EventRule], invoke: Invoke) -> None:
        self._rules = tuple(rules)
        self._invoke = invoke

    def ended(self, execution: Mapping[str, Any]) -> None:
        """Publish the end of an execution, of which `execution` has DescribeExecution's fields."""
        event = json.dumps(_event(execution))
        told = json.loads(event)  # as the rules see it: moto's status is a member of an enumeration
        for rule in self._rules:
            if not matches(rule.pattern, told):
                continue
            try:
                self._invoke(rule.function.name, event.encode())
            except OSError as error:
                # As when the stack ends while an execution runs. On AWS the sweep finds the jobs of lost events.
                print(f"event not delivered to {rule.function.name}: {error}", file=sys.stderr, flush=True)


def _event(execution: Mapping[str, Any]) -> dict[str, Any]:
    names = ("executionArn", "stateMachineArn", "name", "status", "input", "inputDetails", "output", "error", "cause")
    dates = {name: _milliseconds(execution.get(name)) for name in ("startDate", "stopDate")}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": ACCOUNT,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [execution["executionArn"]],
        "detail": {**{name: execution.get(name) for name in names}, **dates},
    }


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
