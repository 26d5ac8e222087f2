"""The research pipeline in chaos: no finding is lost or noted twice, and no stored turn is requested again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx

from local.stack import LocalStack
from shared.apps.research.findings import PREFIX as FINDING
from shared.tools.turn import key_of
from tests.api_user import data_of
from tests.chaos.application import Application, Broken
from tests.chaos.story import JobStory, ModelCall, stored_log

SOURCES = 3
"""The number of parts of a job."""
TURNS = 4
"""The scripted model's turns: search, read, note, answer."""
STAGES = ("choose_sources", "read_source", "write_report")
_NOTES = "research_notes"
_LENGTH = re.compile(r"\btokens=\d+, ")


async def _notebook(_stack: LocalStack, api: httpx.AsyncClient, page: str) -> dict[str, Any]:
    """Create the notebook that the job is linked to."""
    created = data_of(await api.post("/notebooks", json={"title": page[:100]}), 201)
    return {"links": {"projectId": created["notebookId"]}}


def _request(page: str, script: str) -> tuple[str, dict[str, Any]]:
    return _request_for(page, script, SOURCES)


def _request_in_turn(page: str, script: str) -> tuple[str, dict[str, Any]]:
    return _request_for(page, script, 1)


def _request_for(page: str, script: str, sources: int) -> tuple[str, dict[str, Any]]:
    # With a number of tokens the scripted model would write another text than its answer.
    question = f"Why are the worst floods in March? {page} [[script: {_LENGTH.sub('', script)}]]"
    return "/jobs", {"pipeline": "research", "input": {"question": question, "sourceCount": sources}}


def _also_shown(created: Mapping[str, Any]) -> dict[str, str]:
    return {"notebook": f"/notebooks/{created['links']['projectId']}"}


def _is_whole(text: str) -> bool:
    return text.endswith("240 x 120 pixels.")


def _violations(story: JobStory) -> Iterator[str]:
    yield from _of_findings(story)
    yield from _of_conversation(story)
    yield from _of_notebook(story)


def _of_findings(story: JobStory) -> Iterator[str]:
    items = [item["data"] for item in story.shown["items"] if item["key"].startswith(FINDING)]
    if [each["number"] for each in items] != list(range(1, len(items) + 1)):
        yield f"the findings are numbered {[each['number'] for each in items]}"
    if len({each["claim"] for each in items}) < len(items):
        yield f"a finding was noted twice: {[each['claim'] for each in items]}"
    if story.shown["status"] == "completed" and story.shown["result"]["findings"] != items:
        yield f"the result has {len(story.shown['result']['findings'])} findings, {len(items)} were kept"
    for watcher in story.watchers:
        seen = [event.data["finding"] for event in watcher.events if event.type == "finding"]
        # A snapshot has no events of applications, so a watcher that got one may have missed some, but saw none twice.
        if not _is_part_of(seen, items) or (len(seen) < len(items) and not watcher.has_snapshot):
            yield f"a watcher saw the findings {seen}, kept are {items}"


def _is_part_of(seen: list[Any], kept: list[Any]) -> bool:
    """Return whether the seen findings are kept ones, in their order and each once."""
    remaining = iter(kept)
    return all(each in remaining for each in seen)


def _of_conversation(story: JobStory) -> Iterator[str]:
    """Yield a violation if a call has no result, or if the model is asked again for what is stored."""
    stored_at: dict[str, float] = {}
    for event in stored_log(story):
        if event.type == "item":
            stored_at.setdefault(event.data["key"], event.at)
    late = 0
    for call in story.model_calls:
        made = [each["id"] for message in call.messages for each in message.get("tool_calls", ())]
        answered = [message["tool_call_id"] for message in call.messages if message["role"] == "tool"]
        if made != answered:
            yield f"the model was shown the calls {made} with the results {answered}"
        late += call.arrived_at > stored_at.get(_wanted(story, call), call.arrived_at)
    # An attempt that was lost between its last write and its call may still make the call; it cannot know yet.
    if late > story.strays:
        yield f"{late} model calls for a turn or for notes that were stored"


def _wanted(story: JobStory, call: ModelCall) -> str:
    """Return the key of the item that the response to this call becomes."""
    if call.output == _NOTES:
        titles = {title: key for key, title in story.subtask_titles.items()}
        return next((key for title, key in titles.items() if f"Source: {title} (" in call.prompt), "")
    return key_of(1 + sum(message["role"] == "assistant" for message in call.messages))


def _of_notebook(story: JobStory) -> Iterator[str]:
    notebook = story.also["notebook"]
    if notebook is None:
        yield "the notebook is not shown"
        return
    entries = [(each["jobId"], each["status"]) for each in notebook["entries"]]
    if entries != [(story.job_id, story.shown["status"])] or notebook["jobs"] != 1:
        yield f"the notebook has {notebook['jobs']} jobs: {entries}"


# ---- stories that break a promise ------------------------------------------------------------------------------------


def _without_a_finding(story: JobStory) -> None:
    del story.shown["result"]["findings"][0]


def _with_a_finding_twice(story: JobStory) -> None:
    first, second = (item for item in story.shown["items"] if item["key"].startswith(FINDING))
    second["data"] = {**first["data"], "number": 2}


def _with_a_finding_seen_twice(story: JobStory) -> None:
    events = story.watchers[0].events
    position, finding = next((position, each) for position, each in enumerate(events) if each.type == "finding")
    events.insert(position + 1, finding)


def _with_a_notebook_that_does_not_end(story: JobStory) -> None:
    notebook = story.also["notebook"]
    assert notebook is not None
    notebook["entries"][0]["status"] = "in_progress"


def _with_a_call_without_a_result(story: JobStory) -> None:
    at, call = next((at, call) for at, call in enumerate(story.model_calls) if call.messages[-1]["role"] == "tool")
    story.model_calls[at] = replace(call, messages=call.messages[:-1])


def _asking_for_a_turn_again(story: JobStory) -> None:
    call = next(call for call in story.model_calls if call.output is None)
    story.model_calls += [replace(call, arrived_at=call.arrived_at + 60)]


def _asking_for_notes_again(story: JobStory) -> None:
    call = next(call for call in story.model_calls if call.output == _NOTES)
    story.model_calls += [replace(call, arrived_at=call.arrived_at + 60)]


def _with_a_part_finished_twice(story: JobStory) -> None:
    events = story.watchers[0].events
    position, end = next(
        (position, each)
        for position, each in enumerate(events)
        if each.type == "subtask" and each.data["status"] == "finished"
    )
    events.insert(position + 1, end)


def _without_a_result_of_a_part(story: JobStory) -> None:
    story.shown["items"] = [item for item in story.shown["items"] if item["stage"] != STAGES[1]]


APPLICATION = Application(
    pipeline="research",
    share=0.4,
    stages=STAGES,
    request=_request,
    is_whole=_is_whole,
    violations=_violations,
    broken=(
        Broken(_without_a_finding, "the result has 1 findings"),
        Broken(_with_a_finding_twice, "a finding was noted twice"),
        Broken(_with_a_finding_seen_twice, "a watcher saw the findings"),
        Broken(_with_a_notebook_that_does_not_end, "the notebook has"),
        Broken(_with_a_call_without_a_result, "the model was shown the calls"),
        Broken(_asking_for_a_turn_again, "model calls for a turn or for notes"),
        Broken(_asking_for_notes_again, "model calls for a turn or for notes"),
        Broken(_with_a_part_finished_twice, "went on after its end"),
        Broken(_without_a_result_of_a_part, "have no result"),
    ),
    also_shown=_also_shown,
    fan_outs=frozenset({STAGES[1]}),
    has_tools=True,
    request_in_turn=_request_in_turn,
    prepare=_notebook,
)

APPLICATIONS = (APPLICATION,)
