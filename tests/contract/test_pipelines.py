"""Each pipeline's stages, retries, timeout and fan-outs match its state machine."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.apps.registry import RegisteredPipelines
from shared.jobs.pipeline import Pipeline
from tests.fakes.core import ANTHOLOGY
from tools.validate_template.document import snake_case

ROOT = Path(__file__).parents[2]
FAN_OUT = ROOT / "tests/local/fan_out/anthology.asl.yaml"
"""A state machine with a fan-out; no application of this repository has one."""
FILES = {
    **{each.name: ROOT / f"statemachines/{each.name}.asl.yaml" for each in RegisteredPipelines().values()},
    ANTHOLOGY.name: FAN_OUT,
}
OF_A_PART = {
    "jobId.$": "$.jobId",
    "generation.$": "$.generation",
    "retry.$": "$$.State.RetryCount",
    "part.$": "$.part",
}


@pytest.fixture(params=[*RegisteredPipelines().values(), ANTHOLOGY], ids=lambda each: each.name)
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    found: Pipeline = request.param
    return found


@functools.cache
def _loaded(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(file.read_text())
    return loaded


@pytest.fixture
def machine(pipeline: Pipeline) -> dict[str, Any]:
    return copy.deepcopy(_loaded(FILES[pipeline.name]))


def in_order(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the Tasks of a job without faults, in order; of a Map, the Task that it repeats."""
    name = machine["StartAt"]
    while name:
        state = machine["States"][name]
        if state["Type"] == "Map":
            yield from in_order(state["ItemProcessor"])
        else:
            yield name, state
        name = state.get("Next")


def test_the_states_are_the_stages_in_order_and_then_the_completion(
    pipeline: Pipeline, machine: dict[str, Any]
) -> None:
    assert [snake_case(state) for state, _ in in_order(machine)] == [*pipeline.stages, "complete_job"]


def test_a_state_is_retried_as_often_as_the_job_allows(pipeline: Pipeline, machine: dict[str, Any]) -> None:
    for name, state in in_order(machine):
        (after_faults,) = (each for each in state["Retry"] if "ModelDisconnected" in each["ErrorEquals"])
        assert after_faults["MaxAttempts"] == pipeline.max_retries, name


def test_a_rate_limit_and_a_loading_model_are_waited_for_longer(machine: dict[str, Any]) -> None:
    recording = ("RecordFailure", machine["States"]["RecordFailure"])
    for name, state in (*in_order(machine), recording):
        (rule,) = (each for each in state["Retry"] if "ModelRateLimited" in each["ErrorEquals"])
        assert set(rule["ErrorEquals"]) == {"ModelRateLimited", "ModelNotReady"}, name
        assert (rule["IntervalSeconds"], rule["BackoffRate"], rule["MaxDelaySeconds"]) == (5, 2, 60), name
        assert (rule["MaxAttempts"], rule["JitterStrategy"]) == (8, "FULL"), name


def test_a_stages_state_has_the_stages_time_limit(pipeline: Pipeline, machine: dict[str, Any]) -> None:
    for (name, state), stage in zip(in_order(machine), pipeline.stages, strict=False):
        assert state["TimeoutSeconds"] == pipeline.stage_limit(stage), name


def test_an_execution_has_the_pipelines_timeout(pipeline: Pipeline, machine: dict[str, Any]) -> None:
    assert machine["TimeoutSeconds"] == pipeline.run_seconds


# ---- fan-outs ------------------------------------------------------------------------------------------------------


def wrong_with_the_fan_outs(pipeline: Pipeline, machine: dict[str, Any]) -> Iterator[str]:
    """Yield how the Maps of the state machine differ from the pipeline's `parts`."""
    found = set()
    before: dict[str, Any] = {}
    name = machine["StartAt"]
    while name:
        state = machine["States"][name]
        if state["Type"] == "Map":
            tasks = list(state["ItemProcessor"]["States"].items())
            found |= {snake_case(task) for task, _ in tasks}
            if len(tasks) != 1 or tasks[0][1]["Parameters"]["Payload"] != OF_A_PART:
                yield f"{name} must repeat one Task with the payload {OF_A_PART}"
            given = {"jobId.$": "$.jobId", "generation.$": "$.generation", "part.$": "$$.Map.Item.Value"}
            if state["ItemSelector"] != given:
                yield f"{name}.ItemSelector must be {given}"
            kept = f"{before.get('ResultPath')}.parts"
            if before.get("ResultSelector") != {"parts.$": "$.Payload.parts"} or state["ItemsPath"] != kept:
                yield f"{name}.ItemsPath must be the parts that the state before keeps of its result"
            if state.get("ResultPath", "") is not None or tasks[0][1].get("OutputPath", "") is not None:
                yield f"{name} must drop the output of its parts, which are in the log"
        before, name = state, state.get("Next")
    if found != pipeline.parts:
        yield f"the stages in a Map are {sorted(found)}, and `parts` of the pipeline {sorted(pipeline.parts)}"


def test_a_fan_out_is_a_map_over_the_parts_that_the_stage_before_names(
    pipeline: Pipeline, machine: dict[str, Any]
) -> None:
    assert list(wrong_with_the_fan_outs(pipeline, machine)) == []


def broken_by(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    machine: dict[str, Any] = copy.deepcopy(yaml.safe_load(FAN_OUT.read_text()))
    change(machine["States"])
    return machine


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda states: states["ReadPoems"].update(ItemsPath="$.parts"), "ReadPoems.ItemsPath must be"),
        (lambda states: states["ChoosePoems"].pop("ResultSelector"), "ReadPoems.ItemsPath must be"),
        (lambda states: states["ReadPoems"]["ItemSelector"].pop("generation.$"), "ReadPoems.ItemSelector must be"),
        (lambda states: states["ReadPoems"].pop("ResultPath"), "ReadPoems must drop the output"),
        (
            lambda states: states["ReadPoems"]["ItemProcessor"]["States"]["ReadPoem"]["Parameters"]["Payload"].pop(
                "retry.$"
            ),
            "ReadPoems must repeat one Task",
        ),
        (lambda states: states["ChoosePoems"].update(Next="BindPoems"), "the stages in a Map are []"),
    ],
)
def test_a_map_that_does_not_fit_its_pipeline_is_found(
    change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    found = list(wrong_with_the_fan_outs(ANTHOLOGY, broken_by(change)))
    assert any(each.startswith(complaint) for each in found), found
