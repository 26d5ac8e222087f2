"""Events that an application declares: stored and sent as they are, by code that does not know them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from shared.jobs.pipeline import Pipeline, Pipelines
from shared.log.events import ApplicationEvent, Delta, dump_events, parse_events, parse_stream_event
from shared.log.transcript import Transcript
from shared.stages.stage import StageContext
from tests.fakes.core import BRIEF, POEM, SONG, FakeCore, ScriptedStage


class RhymeFound(ApplicationEvent):
    """A rhyme was found."""

    type: Literal["rhymeFound"] = "rhymeFound"
    first_word: str
    second_word: str | None = None


RHYMING = replace(POEM, events=(RhymeFound,))
FOUND = RhymeFound(first_word="rose", second_word="nose")


def rhyming_core() -> FakeCore:
    return FakeCore(pipelines=Pipelines(RHYMING, BRIEF, SONG))


async def find_rhyme(context: StageContext) -> dict[str, Any]:
    await context.append_event(FOUND)
    return {}


def test_an_event_is_stored_and_read_by_code_that_does_not_know_it() -> None:
    text = dump_events((Delta(text="A rose "), FOUND))
    delta, found = parse_events(text)
    assert delta == Delta(text="A rose ")
    assert found.model_dump(mode="json") == FOUND.model_dump(mode="json")


def test_a_stage_appends_the_events_that_its_pipeline_declares() -> None:
    core = rhyming_core()
    job = core.new_job()
    core.run(ScriptedStage("draft", find_rhyme), job)
    [found] = [event for event in core.events(job) if event.type == "rhymeFound"]
    assert json.loads(found.model_dump_json()) == {"type": "rhymeFound", "firstWord": "rose", "secondWord": "nose"}


def test_an_event_with_an_item_is_in_the_same_write_as_the_text_before_it() -> None:
    core = rhyming_core()
    job = core.new_job()

    async def keep_rhyme(context: StageContext) -> dict[str, Any]:
        context.output.report_progress(40)
        context.output.write("A rose is a nose. ")
        await context.add_item("rhyme-1", {"word": "nose"}, event=FOUND)
        return {}

    core.run(ScriptedStage("draft", keep_rhyme), job)

    [found] = [entry for entry in core.log.read(job.id, after=0) if entry.event.type == "rhymeFound"]
    written = [entry.event.type for entry in core.log.read(job.id, after=0) if entry.first == found.first]
    assert written == ["delta", "progress", "item", "rhymeFound"]


def test_two_events_with_an_item_are_in_its_write_and_the_progress_is_in_the_next() -> None:
    core = rhyming_core()
    job = core.new_job()

    async def keep_rhyme(context: StageContext) -> dict[str, Any]:
        context.output.report_progress(40)
        context.output.write("A rose is a nose. ")
        await context.add_item("rhyme-1", {"word": "nose"}, event=FOUND, then=FOUND)
        return {}

    core.run(ScriptedStage("draft", keep_rhyme), job)

    entries = core.log.read(job.id, after=0)
    first = next(entry.first for entry in entries if entry.event.type == "item")
    assert [entry.event.type for entry in entries if entry.first == first] == [
        "delta",
        "item",
        "rhymeFound",
        "rhymeFound",
    ]
    assert core.transcript(job).progress == 40


def test_an_event_that_is_not_declared_is_refused() -> None:
    core = FakeCore()
    job = core.new_job()

    async def undeclared(context: StageContext) -> dict[str, Any]:
        with pytest.raises(ValueError, match="must declare the event rhymeFound"):
            await context.append_event(FOUND)
        with pytest.raises(ValueError, match="must declare the event rhymeFound"):
            await context.add_item("rhyme-1", {}, event=FOUND)
        return {}

    core.run(ScriptedStage("draft", undeclared), job)
    assert all(event.type != "rhymeFound" for event in core.events(job))


def test_a_pipeline_cannot_declare_an_event_of_the_core() -> None:
    class Mine(ApplicationEvent):
        type: Literal["delta"] = "delta"

    with pytest.raises(ValueError, match="delta are event types of the core"):
        Pipeline(name="x", input_model=POEM.input_model, result_model=POEM.result_model, stages=(), events=(Mine,))


def test_an_unknown_event_counts_in_the_transcript_and_changes_nothing_else() -> None:
    transcript = Transcript()
    transcript.apply(1, Delta(text="A rose"))
    transcript.apply(2, FOUND)
    assert (transcript.seq, transcript.text, transcript.subtasks) == (2, "A rose", {})


@pytest.mark.parametrize(
    "text", ['{"type": "delta"}', '{"type": "delta", "text": "x", "more": 1}', '{"text": "x"}', "[]"]
)
def test_a_broken_event_of_the_core_is_not_taken_for_an_applications(text: str) -> None:
    with pytest.raises(ValidationError):
        parse_stream_event(text)
    with pytest.raises(ValidationError):
        parse_events(f"[{text}]")
