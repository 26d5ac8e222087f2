"""Each pipeline's stages, retries and timeout match its state machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.apps.registry import RegisteredPipelines
from shared.jobs.pipeline import Pipeline
from tools.validate_template.document import snake_case

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=RegisteredPipelines().values(), ids=lambda each: each.name)
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    found: Pipeline = request.param
    return found


@pytest.fixture
def machine(pipeline: Pipeline) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / f"statemachines/{pipeline.name}.asl.yaml").read_text())
    return loaded


def in_order(machine: dict[str, Any]) -> Iterator[str]:
    """Return the states of a job without faults, in order."""
    name = machine["StartAt"]
    while name:
        yield name
        name = machine["States"][name].get("Next")


def test_the_states_are_the_stages_in_order_and_then_the_completion(
    pipeline: Pipeline, machine: dict[str, Any]
) -> None:
    assert [snake_case(state) for state in in_order(machine)] == [*pipeline.stages, "complete_job"]


def test_a_state_is_retried_as_often_as_the_job_allows(pipeline: Pipeline, machine: dict[str, Any]) -> None:
    for state in in_order(machine):
        retries = machine["States"][state]["Retry"]
        (after_faults,) = (each for each in retries if "ModelDisconnected" in each["ErrorEquals"])
        assert after_faults["MaxAttempts"] == pipeline.max_retries, state


def test_a_rate_limit_and_a_loading_model_are_waited_for_longer(machine: dict[str, Any]) -> None:
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            (rule,) = (each for each in state["Retry"] if "ModelRateLimited" in each["ErrorEquals"])
            assert set(rule["ErrorEquals"]) == {"ModelRateLimited", "ModelNotReady"}, name
            assert (rule["IntervalSeconds"], rule["BackoffRate"], rule["MaxDelaySeconds"]) == (5, 2, 60), name
            assert (rule["MaxAttempts"], rule["JitterStrategy"]) == (8, "FULL"), name


def test_a_stages_state_has_the_stages_time_limit(pipeline: Pipeline, machine: dict[str, Any]) -> None:
    for state, stage in zip(in_order(machine), pipeline.stages, strict=False):
        assert machine["States"][state]["TimeoutSeconds"] == pipeline.stage_limit(stage), state


def test_an_execution_has_the_pipelines_timeout(pipeline: Pipeline, machine: dict[str, Any]) -> None:
    assert machine["TimeoutSeconds"] == pipeline.run_seconds
