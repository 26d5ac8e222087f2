"""A small run of `make chaos` finds no broken promise, and finds each one that a test breaks."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace

import pytest
from rich.console import Console

from tests.api_user import Event
from tests.chaos import report
from tests.chaos.__main__ import run_on_a_stack
from tests.chaos.application import Application, Broken, applications
from tests.chaos.breaking import check_that_it_is_found
from tests.chaos.plan import make_plan, plan_of, possible, scenarios
from tests.chaos.story import JobStory
from tests.chaos.verdict import changed_fields, violations

SEED = 28493
SCENARIOS = (
    "killed in mid-stream",
    "killed before checkpoint",
    "straggler in its claim",
    "straggler back in reset",
    "late start",
    "model hangs",
)
"""Besides a calm job of each application; no slower scenario."""


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> list[JobStory]:
    calm = [("calm", name) for name in applications()]
    plan = plan_of(SEED, *calm, *zip(SCENARIOS, itertools.cycle(("suggestion", "ideation")), strict=False))
    stories, *_ = run_on_a_stack(plan, tmp_path_factory.mktemp("logs"), lambda _: None)
    return stories


def test_a_plan_depends_only_on_its_seed() -> None:
    assert make_plan(7, 60) == make_plan(7, 60)
    assert make_plan(7, 60) != make_plan(8, 60)
    planned = {
        each for each in scenarios() if any(possible(each, application) for application in applications().values())
    }
    assert {job.scenario for job in make_plan(7, len(planned)).jobs} == planned


def test_a_lost_attempt_may_add_its_tokens_to_a_job_that_has_ended_and_nothing_else() -> None:
    ended = {"text": "a", "updatedAt": "1", "usage": {"outputTokens": 2, "costUsd": None}}
    later = {**ended, "updatedAt": "2"}
    assert changed_fields(ended, {**later, "usage": {"outputTokens": 3, "costUsd": 0.1}}) == []
    assert changed_fields(ended, later) == ["updatedAt"]
    assert changed_fields(ended, {**later, "usage": {"outputTokens": 1, "costUsd": None}}) == ["updatedAt", "usage"]
    assert changed_fields(ended, {**later, "text": "b", "usage": {"outputTokens": 3, "costUsd": None}}) == ["text"]
    used = {**ended, "usage": {"compute": {"lambdaMs": 4, "readUnits": None}}}
    assert changed_fields(used, {**later, "usage": {"compute": {"lambdaMs": 5, "readUnits": 1.5}}}) == []
    assert changed_fields(used, {**later, "usage": {"compute": None}}) == []
    assert changed_fields(used, {**later, "usage": {"compute": {"lambdaMs": 3}}}) == ["updatedAt", "usage"]


def test_every_job_keeps_every_promise(stories: list[JobStory]) -> None:
    broken = [report.whole_story(story, found) for story in stories if (found := violations(story))]
    assert not broken, "\n".join(broken)


def test_the_report_shows_every_injection(stories: list[JobStory]) -> None:
    output = io.StringIO()
    console = Console(file=output, width=130)
    console.print(report.outcomes(stories), report.injected(stories), *report.remarks(stories))
    assert "straggler in its claim" in output.getvalue()
    assert "kill " in output.getvalue()


# ---- each of these functions breaks one promise ----


def _without_an_event(story: JobStory) -> None:
    del story.watchers[0].events[3]


def _with_an_event_twice(story: JobStory) -> None:
    story.watchers[0].events.insert(3, story.watchers[0].events[2])


def _with_another_text(story: JobStory) -> None:
    event = next(each for each in reversed(story.watchers[0].events) if each.type == "delta")
    event.data["text"] += "!"


def _with_two_ends(story: JobStory) -> None:
    end = story.watchers[0].events[-1]
    story.watchers[0].events.append(Event((end.id or 0) + 1, end.type, end.data))


def _still_running(story: JobStory) -> None:
    story.shown["status"] = "in_progress"


def _written_by_a_superseded_attempt(story: JobStory) -> None:
    last = max(sort for sort in story.stored if sort.startswith("EVT#"))
    story.stored[last]["fence"] = "00001.000.000.00000000"


def _checkpointed_by_a_superseded_attempt(story: JobStory) -> None:
    first = story.application.stages[0]
    story.stored["JOB"]["checkpoints"][first]["fence"] = "00001.000.000.00000000"


def _in_a_generation_without_a_resumption(story: JobStory) -> None:
    story.stored["JOB"]["generation"] = story.stored["JOB"].get("generation", 1) + 1


def _counting_retries_wrongly(story: JobStory) -> None:
    story.shown["retryCount"] += 1


def _running_a_finished_stage_again(story: JobStory) -> None:
    events = story.watchers[0].events
    events.insert(-1, replace(next(each for each in events if each.type == "stage"), id=events[-1].id))


@pytest.mark.parametrize(
    "broken",
    [
        Broken(_without_an_event, "is missing"),
        Broken(_with_an_event_twice, "came after"),
        Broken(_with_another_text, "folded to"),
        Broken(_with_two_ends, "saw the ends"),
        Broken(_still_running, "does not end"),
        Broken(_written_by_a_superseded_attempt, "stands behind its successor's"),
        Broken(_checkpointed_by_a_superseded_attempt, "the checkpoint of"),
        Broken(_in_a_generation_without_a_resumption, "is in generation"),
        Broken(_counting_retries_wrongly, "retries counted"),
        Broken(_running_a_finished_stage_again, "ran again"),
    ],
    ids=lambda broken: broken.how.__name__.strip("_"),
)
def test_the_verdict_finds_each_broken_promise(stories: list[JobStory], broken: Broken) -> None:
    check_that_it_is_found(next(story for story in stories if story.plan.scenario == "calm"), broken)


@pytest.mark.parametrize(
    ("application", "broken"),
    [
        pytest.param(each, broken, id=f"{name}-{broken.how.__name__.strip('_')}")
        for name, each in applications().items()
        for broken in each.broken
    ],
)
def test_the_verdict_finds_each_broken_promise_of_an_application(
    stories: list[JobStory], application: Application, broken: Broken
) -> None:
    own = [each for each in stories if each.application == application and each.shown["status"] == "completed"]
    check_that_it_is_found(min(own, key=lambda story: story.strays), broken)
