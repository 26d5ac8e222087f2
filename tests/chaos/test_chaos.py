"""`make chaos` in small: that it finds nothing wrong, and that it would find what it is there to find."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from rich.console import Console

from tests.api_user import Event
from tests.chaos import report
from tests.chaos.__main__ import run_on_a_stack
from tests.chaos.plan import SCENARIOS, make_plan
from tests.chaos.run import JobStory
from tests.chaos.verdict import violations

SEED = 541
"""Draws kills, stragglers, a late start and a model that hangs, and nothing that takes longer."""


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> list[JobStory]:
    return run_on_a_stack(make_plan(SEED, 12), tmp_path_factory.mktemp("logs"), lambda _: None)


def test_a_plan_depends_on_its_seed_alone() -> None:
    assert make_plan(7, 60) == make_plan(7, 60)
    assert make_plan(7, 60) != make_plan(8, 60)
    assert {job.scenario for job in make_plan(7, len(SCENARIOS)).jobs} == set(SCENARIOS)


def test_no_promise_is_broken(stories: list[JobStory]) -> None:
    broken = [report.whole_story(story, found) for story in stories if (found := violations(story))]
    assert not broken, "\n".join(broken)


def test_the_report_shows_what_was_done(stories: list[JobStory]) -> None:
    output = io.StringIO()
    console = Console(file=output, width=130)
    console.print(report.outcomes(stories), report.injected(stories), *report.remarks(stories))
    assert "straggler in its claim" in output.getvalue()
    assert "kill " in output.getvalue()


# ---- each of these is what one broken promise looks like ----


def _without_an_event(story: JobStory) -> None:
    del story.watchers[0].events[3]


def _with_an_event_twice(story: JobStory) -> None:
    story.watchers[0].events.insert(3, story.watchers[0].events[2])


def _with_another_text(story: JobStory) -> None:
    event = next(each for each in story.watchers[1].events if each.type == "delta")
    event.data["text"] += "!"


def _with_two_ends(story: JobStory) -> None:
    end = story.watchers[0].events[-1]
    story.watchers[0].events.append(Event((end.id or 0) + 1, end.type, end.data))


def _still_running(story: JobStory) -> None:
    story.shown["status"] = "in_progress"


def _with_another_result(story: JobStory) -> None:
    story.shown["result"]["suggestions"][0]["title"] += "!"


def _written_by_a_superseded_attempt(story: JobStory) -> None:
    last = max(sort for sort in story.stored if sort.startswith("EVT#"))
    story.stored[last]["fence"] = "00001.000.000.00000000"


def _checkpointed_by_a_superseded_attempt(story: JobStory) -> None:
    story.stored["JOB"]["checkpoints"]["generate_suggestions"]["fence"] = "00001.000.000.00000000"


def _asking_the_model_again(story: JobStory) -> None:
    story.model_calls += [replace(story.model_calls[0], arrived_at=story.model_calls[0].arrived_at + 60)]


def _counting_retries_wrongly(story: JobStory) -> None:
    story.shown["retryCount"] += 1


def _running_a_finished_stage_again(story: JobStory) -> None:
    events = story.watchers[0].events
    events.insert(-1, replace(next(each for each in events if each.type == "stage"), id=events[-1].id))


# ---- and of one to a brainstorming job ----


def _without_an_idea(story: JobStory) -> None:
    assert story.run is not None
    del story.run["ideas"][2]


def _with_an_idea_twice(story: JobStory) -> None:
    story.shown["items"][3]["data"] = story.shown["items"][2]["data"]


def _with_an_item_seen_twice(story: JobStory) -> None:
    events = story.watchers[0].events
    place, item = next((place, each) for place, each in enumerate(events) if each.type == "item")
    events.insert(place + 1, item)


def _with_a_run_that_goes_on(story: JobStory) -> None:
    assert story.run is not None
    story.run["status"] = "running"


def _with_a_version_missing(story: JobStory) -> None:
    assert story.lineage is not None
    for artefact in story.lineage["artefacts"]:
        artefact["version"] += 1


def _asking_for_ideas_again(story: JobStory) -> None:
    first = next(call for call in story.model_calls if call.missing is not None)
    story.model_calls += [replace(first, arrived_at=first.arrived_at + 60)]


def _asking_for_too_few_ideas(story: JobStory) -> None:
    place, call = next((place, call) for place, call in enumerate(story.model_calls) if call.missing is not None)
    story.model_calls[place] = replace(call, missing=(call.missing or 0) - 1)


@dataclass(frozen=True)
class Broken:
    """A way to break a story, and a word of what has to be said about it."""

    how: Callable[[JobStory], None]
    complaint: str


@pytest.mark.parametrize(
    "broken",
    [
        Broken(_without_an_event, "is missing"),
        Broken(_with_an_event_twice, "came after"),
        Broken(_with_another_text, "folded to"),
        Broken(_with_two_ends, "saw the ends"),
        Broken(_still_running, "does not end"),
        Broken(_with_another_result, "is not what the text says"),
        Broken(_written_by_a_superseded_attempt, "stands behind its successor's"),
        Broken(_checkpointed_by_a_superseded_attempt, "the checkpoint of"),
        Broken(_asking_the_model_again, "model calls for"),
        Broken(_counting_retries_wrongly, "retries counted"),
        Broken(_running_a_finished_stage_again, "ran again"),
    ],
    ids=lambda broken: broken.how.__name__.strip("_"),
)
def test_a_broken_promise_is_found(stories: list[JobStory], broken: Broken) -> None:
    check_that_it_is_found(next(story for story in stories if story.plan.scenario == "calm"), broken)


@pytest.mark.parametrize(
    "broken",
    [
        Broken(_without_an_idea, "the run has 7 ideas"),
        Broken(_with_an_idea_twice, "an idea came twice"),
        Broken(_with_an_item_seen_twice, "saw an idea twice"),
        Broken(_with_a_run_that_goes_on, "the run is running"),
        Broken(_with_a_version_missing, "have the versions"),
        Broken(_asking_for_ideas_again, "asked for ideas that were there"),
        Broken(_asking_for_too_few_ideas, "ideas were asked for beside"),
    ],
    ids=lambda broken: broken.how.__name__.strip("_"),
)
def test_a_broken_promise_to_a_brainstorming_job_is_found(stories: list[JobStory], broken: Broken) -> None:
    kept = [story for story in stories if story.run_id is not None and story.shown["status"] == "completed"]
    check_that_it_is_found(next(story for story in kept if not any(e["abandoned"] for e in story.invocations)), broken)


def check_that_it_is_found(whole: JobStory, broken: Broken) -> None:
    story = copy.copy(whole)
    story.watchers = [replace(watcher, events=copy.deepcopy(watcher.events)) for watcher in story.watchers]
    story.model_calls = [*story.model_calls]
    story.shown, story.stored = copy.deepcopy((story.shown, story.stored))
    story.run, story.lineage = copy.deepcopy((story.run, story.lineage))
    broken.how(story)
    assert any(broken.complaint in found for found in violations(story)), violations(story)
