"""A retried stage re-attaches to the response of the earlier attempt, so no response is paid for twice."""

from __future__ import annotations

import json

import pytest

from shared.apps.suggestions.pipeline import PIPELINE
from shared.apps.suggestions.stages import GenerateSuggestions, ValidateSuggestions
from shared.errors import JobEnded, ModelDisconnected, ModelTimeout
from shared.jobs.job import JobStatus
from shared.jobs.pipeline import Pipelines
from shared.jobs.store import JobGuard
from shared.log.events import Reset
from shared.log.usage import UNREPORTED, TokenUsage
from tests.fakes.core import FakeCore
from tests.fakes.model import USAGE, ResumableModel

INPUT = {"pageOrComponent": "Checkout", "featureType": "enhancement", "priorityLevel": "low"}
IDEA = {"title": "a", "rationale": "b", "description": "c", "implementationConsiderations": ["d"]}
OUTPUT = json.dumps({"suggestions": [IDEA]})


class Driver:
    """A suggestion job and attempts of its stages, each with a new runner as in a separate process."""

    def __init__(self, model: ResumableModel) -> None:
        self.core = FakeCore(pipelines=Pipelines(PIPELINE))
        self.model = model
        self.job = self.core.new_job(pipeline="suggestion", input=INPUT, model="scripted-1")

    def attempt(self, stage: type[GenerateSuggestions | ValidateSuggestions], *, retry: int = 0) -> None:
        self.core.run(stage(self.model), self.job, retry=retry)

    @property
    def resets(self) -> list[Reset]:
        return [event for event in self.core.events(self.job) if isinstance(event, Reset)]

    @property
    def text(self) -> str:
        return self.core.job_queries.view("ada", self.job.id).transcript.text


@pytest.mark.parametrize("position", [0, 1, 17, len(OUTPUT) - 1])
def test_the_retry_re_attaches_where_the_response_was_interrupted(position: int) -> None:
    driver = Driver(ResumableModel(OUTPUT, position))
    with pytest.raises(ModelDisconnected):
        driver.attempt(GenerateSuggestions)
    driver.attempt(GenerateSuggestions, retry=1)
    assert driver.model.responses == 1
    assert driver.text == OUTPUT
    assert [reset.text for reset in driver.resets] == [OUTPUT[:position]]
    assert driver.core.job(driver.job.id).usage == USAGE


def test_a_response_that_is_interrupted_several_times_is_paid_for_once() -> None:
    driver = Driver(ResumableModel(OUTPUT, 5, 5, 40))
    for retry in range(3):
        with pytest.raises(ModelDisconnected):
            driver.attempt(GenerateSuggestions, retry=retry)
    driver.attempt(GenerateSuggestions, retry=3)
    assert driver.model.responses == 1
    assert driver.text == OUTPUT


def test_a_retry_during_a_repair_re_attaches_to_the_repairs_response() -> None:
    driver = Driver(ResumableModel("not JSON"))
    driver.attempt(GenerateSuggestions)
    driver.model = ResumableModel(OUTPUT, 9)
    with pytest.raises(ModelDisconnected):
        driver.attempt(ValidateSuggestions)
    driver.attempt(ValidateSuggestions, retry=1)
    assert driver.model.responses == 1
    assert driver.text == OUTPUT


@pytest.mark.parametrize("hangs", [False, True])
def test_a_retry_starts_a_new_response_if_the_first_was_deleted_or_hangs(hangs: bool) -> None:
    driver = Driver(
        ResumableModel(OUTPUT, 20, *([21] if hangs else []), fault=ModelTimeout("silent") if hangs else None)
    )
    with pytest.raises(ModelTimeout if hangs else ModelDisconnected):
        driver.attempt(GenerateSuggestions)
    driver.model.gone = not hangs
    driver.attempt(GenerateSuggestions, retry=1)
    assert driver.model.responses == 2
    assert driver.model.cancelled == ["20"]
    assert [(reset.reason, reset.text) for reset in driver.resets][1:] == [("RESTARTED", "")]
    assert driver.text == OUTPUT


@pytest.mark.parametrize("spent", [None, TokenUsage(input_tokens=7, output_tokens=5)])
def test_the_tokens_of_a_response_that_failed_are_on_the_job(spent: TokenUsage | None) -> None:
    driver = Driver(ResumableModel(OUTPUT, 20))
    with pytest.raises(ModelDisconnected):
        driver.attempt(GenerateSuggestions)
    driver.model.gone, driver.model.spent = True, spent
    driver.attempt(GenerateSuggestions, retry=1)
    job = driver.core.jobs.get(driver.job.id)
    assert job is not None
    assert job.usage == USAGE + (spent or UNREPORTED)


def test_the_attempt_cancels_the_response_of_a_job_that_ends() -> None:
    driver = Driver(ResumableModel(OUTPUT))
    driver.model.meanwhile = lambda: driver.core.jobs.update(
        driver.job.id, {"status": JobStatus.CANCELLED}, when=JobGuard()
    )
    with pytest.raises(JobEnded):
        driver.attempt(GenerateSuggestions)
    assert driver.model.cancelled == ["0"]
