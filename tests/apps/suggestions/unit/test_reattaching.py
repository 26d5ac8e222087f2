"""Not paying twice: a retried stage goes on with the response that its predecessor left running."""

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
from tests.fakes.core import FakeCore
from tests.fakes.model import USAGE, ResumableModel

INPUT = {"pageOrComponent": "Checkout", "featureType": "enhancement", "priorityLevel": "low"}
IDEA = {"title": "a", "rationale": "b", "description": "c", "implementationConsiderations": ["d"]}
ANSWER = json.dumps({"suggestions": [IDEA]})


class Desk:
    """A suggestion job, and attempts at its stages, each by a process of its own."""

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


@pytest.mark.parametrize("place", [0, 1, 17, len(ANSWER) - 1])
def test_a_broken_answer_is_gone_on_with_where_it_broke(place: int) -> None:
    desk = Desk(ResumableModel(ANSWER, place))
    with pytest.raises(ModelDisconnected):
        desk.attempt(GenerateSuggestions)
    desk.attempt(GenerateSuggestions, retry=1)
    assert desk.model.responses == 1
    assert desk.text == ANSWER
    assert [reset.text for reset in desk.resets] == [ANSWER[:place]]
    assert desk.core.job(desk.job.id).usage == USAGE


def test_an_answer_that_breaks_again_and_again_is_still_one_answer() -> None:
    desk = Desk(ResumableModel(ANSWER, 5, 5, 40))
    for retry in range(3):
        with pytest.raises(ModelDisconnected):
            desk.attempt(GenerateSuggestions, retry=retry)
    desk.attempt(GenerateSuggestions, retry=3)
    assert desk.model.responses == 1
    assert desk.text == ANSWER


def test_a_repair_is_gone_on_with_too_and_the_first_answer_is_not() -> None:
    desk = Desk(ResumableModel("not JSON"))
    desk.attempt(GenerateSuggestions)
    desk.model = ResumableModel(ANSWER, 9)
    with pytest.raises(ModelDisconnected):
        desk.attempt(ValidateSuggestions)
    desk.attempt(ValidateSuggestions, retry=1)
    assert desk.model.responses == 1
    assert desk.text == ANSWER


@pytest.mark.parametrize("hangs", [False, True])
def test_an_answer_that_is_gone_or_hangs_is_asked_for_anew_and_the_watcher_is_told(hangs: bool) -> None:
    desk = Desk(ResumableModel(ANSWER, 20, *([21] if hangs else []), fault=ModelTimeout("silent") if hangs else None))
    with pytest.raises(ModelTimeout if hangs else ModelDisconnected):
        desk.attempt(GenerateSuggestions)
    desk.model.gone = not hangs
    desk.attempt(GenerateSuggestions, retry=1)
    assert desk.model.responses == 2
    assert desk.model.cancelled == ["20"]
    assert [(reset.reason, reset.text) for reset in desk.resets][1:] == [("RESTARTED", "")]
    assert desk.text == ANSWER


def test_a_job_that_ends_meanwhile_ends_its_running_answer_at_the_provider() -> None:
    desk = Desk(ResumableModel(ANSWER))
    desk.model.meanwhile = lambda: desk.core.jobs.update(desk.job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
    with pytest.raises(JobEnded):
        desk.attempt(GenerateSuggestions)
    assert desk.model.cancelled == ["0"]
