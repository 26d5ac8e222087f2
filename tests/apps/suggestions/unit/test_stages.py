"""The stages of the suggestion pipeline, over a model that says what it is told to."""

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
from shared.stages.model_answers import describe_errors
from tests.fakes.core import FakeCore
from tests.fakes.model import USAGE, ScriptedModel

INPUT = {"pageOrComponent": "Checkout", "featureType": "enhancement", "priorityLevel": "low"}


def answer(**changes: Any) -> str:
    suggestion = {
        "title": "Save carts",
        "rationale": "People leave.",
        "description": "The cart is kept.",
        "implementationConsiderations": ["Expiry"],
        **changes,
    }
    return json.dumps({"suggestions": [suggestion]})


class Desk:
    """A suggestion job and whatever runs its stages."""

    def __init__(self, *answers: Any, truncated: bool = False) -> None:
        self.core = FakeCore(pipelines=Pipelines(PIPELINE))
        self.model = ScriptedModel(*answers, truncated=truncated)
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


class TestGenerating:
    def test_the_models_answer_is_streamed_and_its_tokens_counted(self) -> None:
        desk = Desk(answer())
        desk.generate()
        assert desk.text() == answer()
        assert desk.stored().usage == USAGE
        assert desk.model.closed == 1

    def test_the_model_is_asked_for_the_jobs_own_model_and_the_schema(self) -> None:
        desk = Desk(answer())
        desk.generate()
        (request,) = desk.model.requests
        assert (request.model, request.output_schema) == ("scripted-1", output_schema())

    def test_progress_follows_the_length_of_the_answer(self) -> None:
        desk = Desk("x" * 500)
        desk.generate()
        assert desk.stored().progress == 25
        assert desk.core.transcript(desk.job).progress == 25

    def test_a_model_that_breaks_off_fails_the_attempt_and_the_retry_begins_again(self) -> None:
        desk = Desk((answer()[:30], ModelDisconnected("gone")), answer())
        with pytest.raises(ModelDisconnected):
            desk.generate()
        assert desk.text() == answer()[:30]
        desk.generate(retry=1)
        assert desk.text() == answer()
        assert [reset.reason for reset in desk.resets()] == [ErrorCode.MODEL_DISCONNECTED]
        assert desk.model.closed == 2


class TestValidating:
    def test_a_fitting_answer_becomes_the_result_without_another_call(self) -> None:
        desk = Desk(answer())
        desk.generate()
        desk.validate()
        assert desk.output("validate_suggestions") == json.loads(answer())
        assert len(desk.model.requests) == 1
        assert desk.stored().progress == 95
        assert desk.resets() == []

    def test_an_answer_that_does_not_fit_is_repaired_once(self) -> None:
        desk = Desk("I suggest saving carts.", answer())
        desk.generate()
        desk.validate()
        assert desk.output("validate_suggestions") == json.loads(answer())
        assert desk.text() == answer()
        (reset,) = desk.resets()
        assert (reset.reason, reset.text, reset.progress) == ("REPAIR", "", 0)
        assert desk.stored().usage == USAGE + USAGE
        repair = desk.model.requests[1]
        assert repair.messages[-2].content == "I suggest saving carts."
        assert "Invalid JSON" in repair.messages[-1].content

    def test_an_answer_that_does_not_fit_after_repair_fails_the_job_for_good(self) -> None:
        desk = Desk("nonsense", answer(title=""))
        desk.generate()
        with pytest.raises(InvalidModelOutput, match=r"suggestions\.0\.title") as fault:
            desk.validate()
        assert not fault.value.retryable
        noted = desk.stored().last_fault
        assert noted is not None
        assert noted.code is ErrorCode.INVALID_MODEL_OUTPUT
        assert len(desk.model.requests) == 2

    def test_an_answer_that_is_cut_off_again_says_that_it_was(self) -> None:
        desk = Desk(answer()[:-20], answer()[:-20], truncated=True)
        desk.generate()
        with pytest.raises(InvalidModelOutput, match="cut off at the output limit"):
            desk.validate()

    def test_a_truncated_answer_is_repaired_like_any_other_that_does_not_fit(self) -> None:
        desk = Desk(answer()[:-20], answer(), truncated=True)
        desk.generate()
        desk.validate()
        assert desk.output("validate_suggestions") == json.loads(answer())

    def test_a_retry_during_repair_begins_with_the_answer_that_stood(self) -> None:
        desk = Desk("nonsense", ("half", ModelDisconnected("gone")), answer())
        desk.generate()
        with pytest.raises(ModelDisconnected):
            desk.validate()
        desk.validate(retry=1)
        assert [reset.text for reset in desk.resets()] == ["", "nonsense", ""]
        assert desk.output("validate_suggestions") == json.loads(answer())

    def test_progress_falls_only_where_the_answer_is_given_anew(self) -> None:
        desk = Desk("x" * 1000, answer())
        desk.generate()
        desk.validate()
        highest = 0.0
        for event in desk.core.events(desk.job):
            if isinstance(event, Reset):
                highest = event.progress
            elif isinstance(event, Progress):
                assert event.progress > highest
                highest = event.progress
        assert highest == 95


@given(st.integers(0, 10**6))
def test_progress_is_a_share_of_two_thousand_characters_and_stops_at_95(length: int) -> None:
    assert progress_of(length) == min(95, length / 2000 * 100)


class TestComplaints:
    def complain(self, text: str) -> str:
        with pytest.raises(ValidationError) as error:
            Suggestions.model_validate_json(text)
        return describe_errors(error.value)

    def test_a_complaint_names_fields_and_rules(self) -> None:
        assert self.complain(answer(title="")).startswith("suggestions.0.title: String should have at least 1")
        assert self.complain("nonsense").startswith("output: Invalid JSON")

    @pytest.mark.parametrize("text", [answer(Confidential=1), answer(title={"Confidential": 1}), '"Confidential"'])
    def test_a_complaint_never_repeats_the_models_words(self, text: str) -> None:
        assert "Confidential" not in self.complain(text)

    def test_of_many_complaints_the_first_ten_are_made(self) -> None:
        text = json.dumps({"suggestions": [{"title": ""}] * 10})
        assert self.complain(text).count(";") == 9


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
def test_input_that_breaks_a_rule_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as error:
        SuggestionInput.model_validate({**INPUT, field: value})
    assert error.value.errors()[0]["loc"] == (field,)


def test_input_at_its_limits_is_taken() -> None:
    limits = {"pageOrComponent": "x" * 200, "additionalContext": "x" * 1000}
    assert SuggestionInput.model_validate({**INPUT, **limits}).page_or_component == "x" * 200


def test_the_pipeline_runs_its_stages_in_order() -> None:
    assert [PIPELINE.index_of(stage.name) for stage in (GenerateSuggestions, ValidateSuggestions)] == [0, 1]
    assert PIPELINE.result_model is Suggestions
