"""Run a state machine on a store of the test's choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run_machine(
    machine: type[RuleBasedStateMachine],
    *,
    examples: int,
    steps: int,
    phases: Sequence[Phase] = tuple(Phase),
    **makers: Callable[[], Any],
) -> None:
    """Run the machine; `makers` are its functions that make what it works on, such as `make_log`."""
    run_state_machine_as_test(
        type(machine.__name__, (machine,), {name: staticmethod(make) for name, make in makers.items()}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )
