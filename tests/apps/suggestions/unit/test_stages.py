"""The stages of the suggestion pipeline, with a scripted model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.apps.suggestions.models import SuggestionInput, Suggestions
from shared.apps.suggestions.pipeline import PIPELINE
from shared.apps.suggestions.prompts import output_schema
from shared.apps.suggestions.stages import GenerateSuggestions, ValidateSuggestions, progress_of
from shared.errors import ErrorCode, InvalidModelOutput, ModelDisconnected
from shared.jobs.job import Job
from shared.jobs.pipeline import Pipelines
from shared.log.events import Progress, Reset
from shared.stages.answers import describe_errors
from tests.fakes.core import FakeCore
from tests.fakes.model import USAGE, ScriptedModel

INPUT = {"pageOrComponent": "Checkout", "featureType": "enhancement", "priorityLevel": "low"}


def output_of(**changes: Any) -> str:
    suggestion = {
        "title": "Save carts",
        "rationale": "People leave.",
        "description": "The cart is kept.",
        "implementationConsiderations": ["Expiry"],
        **changes,
    }
    return json.dumps({"suggestions": [suggestion]})


class Driver:
    """A suggestion job, and short ways to run its stages."""

    def __init__(self, *outputs: Any, truncated: bool = False) -> None:
        self.core = FakeCore(pipelines=Pipelines(PIPELINE))
        self.model = ScriptedModel(*outputs, truncated=truncated)
        self.job = self.core.new_job(pipeline="suggestion", input=INPUT, model="scripted-1")

    def generate(self, *, retry: int = 0) -> None:
        self.core.run(GenerateSuggestions(self.model), self.job, retry=retry)

    def validate(self, *, retry: int = 0) -> None:
        self.core.run(ValidateSuggestions(self.model), self.job, retry=retry)

    def stored(self) -> Job:
        return self.core.job(self.job.id)

    def output(self, stage: str) -> dict[str, Any]:
        return self.core.checkpoints.get(self.job.id, stage, self.stored().checkpoints[stage]).output

    def text(self) -> str:
        return self.core.transcript(self.job).text

    def resets(self) -> list[Reset]:
        return [event for event in self.core.events(self.job) if isinstance(event, Reset)]


class TestGeneration:
    def test_the_stage_streams_the_output_and_counts_its_tokens(self) -> None:
        driver = Driver(output_of())
        driver.generate()
        assert driver.text() == output_of()
        assert driver.stored().usage == USAGE
        assert driver.model.closed == 1

    def test_the_request_has_the_jobs_model_and_the_schema(self) -> None:
        driver = Driver(output_of())
        driver.generate()
        (request,) = driver.model.requests
        assert (request.model, request.output_schema) == ("scripted-1", output_schema())

    def test_progress_grows_with_the_length_of_the_output(self) -> None:
        driver = Driver("x" * 500)
        driver.generate()
        assert driver.stored().progress == 25
        assert driver.core.transcript(driver.job).progress == 25

    def test_the_retry_starts_again_after_a_disconnection(self) -> None:
        driver = Driver((output_of()[:30], ModelDisconnected("gone")), output_of())
        with pytest.raises(ModelDisconnected):
            driver.generate()
        assert driver.text() == output_of()[:30]
        driver.generate(retry=1)
        assert driver.text() == output_of()
        assert [reset.reason for reset in driver.resets()] == [ErrorCode.MODEL_DISCONNECTED]
        assert driver.model.closed == 2


class TestValidation:
    def test_valid_output_becomes_the_result_without_another_call(self) -> None:
        driver = Driver(output_of())
        driver.generate()
        driver.validate()
        assert driver.output("validate_suggestions") == json.loads(output_of())
        assert len(driver.model.requests) == 1
        assert driver.stored().progress == 95
        assert driver.resets() == []

    def test_invalid_output_is_repaired_once(self) -> None:
        driver = Driver("I suggest saving carts.", output_of())
        driver.generate()
        driver.validate()
        assert driver.output("validate_suggestions") == json.loads(output_of())
        assert driver.text() == output_of()
        (reset,) = driver.resets()
        assert (reset.reason, reset.text, reset.progress) == ("REPAIR", "", 0)
        assert driver.stored().usage == USAGE + USAGE
        repair = driver.model.requests[1]
        assert repair.messages[-2].content == "I suggest saving carts."
        assert "Invalid JSON" in repair.messages[-1].content

    def test_output_that_is_invalid_after_its_repair_is_a_permanent_fault(self) -> None:
        driver = Driver("nonsense", output_of(title=""))
        driver.generate()
        with pytest.raises(InvalidModelOutput, match=r"suggestions\.0\.title") as fault:
            driver.validate()
        assert not fault.value.retryable
        noted = driver.stored().last_fault
        assert noted is not None
        assert noted.code is ErrorCode.INVALID_MODEL_OUTPUT
        assert len(driver.model.requests) == 2

    def test_the_fault_of_a_truncated_repair_mentions_the_output_limit(self) -> None:
        driver = Driver(output_of()[:-20], output_of()[:-20], truncated=True)
        driver.generate()
        with pytest.raises(InvalidModelOutput, match="cut off at the output limit"):
            driver.validate()

    def test_truncated_output_is_repaired(self) -> None:
        driver = Driver(output_of()[:-20], output_of(), truncated=True)
        driver.generate()
        driver.validate()
        assert driver.output("validate_suggestions") == json.loads(output_of())

    def test_a_retry_during_a_repair_begins_with_the_output_of_the_checkpoint(self) -> None:
        driver = Driver("nonsense", ("half", ModelDisconnected("gone")), output_of())
        driver.generate()
        with pytest.raises(ModelDisconnected):
            driver.validate()
        driver.validate(retry=1)
        assert [reset.text for reset in driver.resets()] == ["", "nonsense", ""]
        assert driver.output("validate_suggestions") == json.loads(output_of())

    def test_progress_decreases_only_at_a_reset(self) -> None:
        driver = Driver("x" * 1000, output_of())
        driver.generate()
        driver.validate()
        highest = 0.0
        for event in driver.core.events(driver.job):
            if isinstance(event, Reset):
                highest = event.progress
            elif isinstance(event, Progress):
                assert event.progress > highest
                highest = event.progress
        assert highest == 95


@given(st.integers(0, 10**6))
def test_progress_is_a_share_of_two_thousand_characters_and_stops_at_95(length: int) -> None:
    assert progress_of(length) == min(95, length / 2000 * 100)


class TestDescribeErrors:
    def errors_of(self, text: str) -> str:
        with pytest.raises(ValidationError) as error:
            Suggestions.model_validate_json(text)
        return describe_errors(error.value)

    def test_the_errors_name_fields_and_rules(self) -> None:
        assert self.errors_of(output_of(title="")).startswith("suggestions.0.title: String should have at least 1")
        assert self.errors_of("nonsense").startswith("output: Invalid JSON")

    @pytest.mark.parametrize(
        "text", [output_of(Confidential=1), output_of(title={"Confidential": 1}), '"Confidential"']
    )
    def test_the_errors_never_quote_the_output(self, text: str) -> None:
        assert "Confidential" not in self.errors_of(text)

    def test_only_the_first_ten_errors_are_described(self) -> None:
        text = json.dumps({"suggestions": [{"title": ""}] * 10})
        assert self.errors_of(text).count(";") == 9


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pageOrComponent", ""),
        ("pageOrComponent", "   "),
        ("pageOrComponent", "x" * 201),
        ("featureType", "novelty"),
        ("priorityLevel", "urgent"),
        ("additionalContext", "x" * 1001),
        ("customModel", ""),
        ("agentId", "x" * 65),
        ("unknown", 1),
    ],
)
def test_invalid_input_is_refused_with_its_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as error:
        SuggestionInput.model_validate({**INPUT, field: value})
    assert error.value.errors()[0]["loc"] == (field,)


def test_input_at_its_limits_is_accepted() -> None:
    limits = {"pageOrComponent": "x" * 200, "additionalContext": "x" * 1000}
    assert SuggestionInput.model_validate({**INPUT, **limits}).page_or_component == "x" * 200


def test_the_pipeline_runs_its_stages_in_order() -> None:
    assert [PIPELINE.index_of(stage.name) for stage in (GenerateSuggestions, ValidateSuggestions)] == [0, 1]
    assert PIPELINE.result_model is Suggestions
