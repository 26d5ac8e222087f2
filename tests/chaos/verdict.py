"""What has to hold of every job, whatever was done to it: docs/stream.md, held against what was seen and stored."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.apps.suggestions.models import Suggestions
from shared.log.fence import Fence
from shared.storage import keys
from tests.api_user import TERMINAL, Event, fold
from tests.chaos.applications import IDEAS
from tests.chaos.run import JobStory
from tests.chaos.watcher import Watcher

_ENDED_AS = {"completed": "complete", "failed": "error", "cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Stored:
    """One event of the stored log; `at` in Unix seconds."""

    id: int
    type: str
    data: dict[str, Any]
    fence: Fence
    at: float


def violations(story: JobStory) -> list[str]:
    """Everything that does not hold; empty when the job is as it has to be."""
    found = [*story.problems]
    ended = story.shown["status"] in _ENDED_AS
    if not ended:
        found.append(f"the job is {story.shown['status']} and does not end")
    log = stored_log(story)
    for watcher in story.watchers:
        name = "steady watcher" if watcher.steady else "dropping watcher"
        found += [f"{name}: {problem}" for problem in (*watcher.problems, *_of_watcher(watcher, story, log, ended))]
    found += _of_end(story)
    found += _of_log(log, story)
    found += _of_stages(story)
    if story.run_id is not None:
        found += _of_ideas(story)
        found += _of_run(story)
    return found


def stored_log(story: JobStory) -> list[Stored]:
    """The stored log as far back as it reaches."""
    items = [item for sort, item in sorted(story.stored.items()) if sort.startswith(keys.EVENT_PREFIX)]
    return [
        Stored(item["seq"] + place, event["type"], event, Fence.parse(item["fence"]), item["at"] / 1000)
        for item in items
        for place, event in enumerate(json.loads(item["events"]))
    ]


def _of_watcher(watcher: Watcher, story: JobStory, log: Sequence[Stored], ended: bool) -> Iterator[str]:
    events = watcher.events
    yield from _of_ids(events)
    stored = {event.id: event for event in log}
    for event in events:
        kept = stored.get(event.id or 0)
        if kept is not None and event.type != "snapshot" and not _same(event, kept):
            yield f"event {event.id} was seen as {_brief(event)} and is stored as {kept.type} {str(kept.data)[:120]}"
    if not ended:
        return
    if fold(events) != story.shown["text"]:
        yield f"folded to {fold(events)!r}, GET shows {story.shown['text']!r}"
    items = _items(events)
    if list(items.values()) != [_said(item) for item in story.shown["items"]]:
        yield f"folded to the items {list(items)}, GET shows {[item['key'] for item in story.shown['items']]}"
    terminal = [event.type for event in events if event.type in TERMINAL]
    if terminal != [_ENDED_AS[story.shown["status"]]] or events[-1].type not in TERMINAL:
        yield f"saw the ends {terminal} of a job that is {story.shown['status']}"
    if watcher.last_id != story.shown["lastEventId"]:
        yield f"saw the log end at {watcher.last_id}, GET says {story.shown['lastEventId']}"
    if events and events[-1].type == "complete" and events[-1].data["result"] != story.shown["result"]:
        yield f"complete brought {events[-1].data['result']}, GET shows {story.shown['result']}"


def _of_ids(events: Sequence[Event]) -> Iterator[str]:
    last = 0
    for event in events:
        if event.id is None or event.id <= last:
            yield f"event {event.id} came after {last}"
        elif event.id != last + 1 and event.type != "snapshot":
            yield f"event {last + 1} is missing before {event.id}"
        last = event.id or last


def _same(event: Event, kept: Stored) -> bool:
    """The stored event leaves out what is None; `complete` gets its result when it is read."""
    return bool(_said({**event.data, "result": None}) == _said(kept.data))


def _said(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _said(each) for name, each in value.items() if each is not None}
    return value


def _of_end(story: JobStory) -> Iterator[str]:
    shown = story.shown
    match shown["status"]:
        case "completed" if story.run_id is None and _read(shown["text"]) != Suggestions.model_validate(
            shown["result"]
        ):
            yield f"the result {shown['result']} is not what the text says: {shown['text']!r}"
        case "failed" if not (shown["failure"] or {}).get("code"):
            yield "it failed without a reason"
        case "cancelled" if not any(each.what == "cancel" for each in story.injected):
            yield "it was cancelled by nobody"


def _read(text: str) -> Suggestions | None:
    try:
        return Suggestions.model_validate_json(text)
    except ValidationError:
        return None


def _of_log(log: Sequence[Stored], story: JobStory) -> Iterator[str]:
    for before, after in itertools.pairwise(log):
        if after.fence < before.fence:
            yield f"event {after.id} of the attempt {after.fence} stands behind its successor's: {before.fence}"
    if [event.id for event in log if event.type in TERMINAL] not in ([], [log[-1].id]):
        yield f"the log does not end with its only end: {[(event.id, event.type) for event in log][-6:]}"
    snapshot = story.stored.get(keys.SNAPSHOT)
    uncovered = [event.id for event in log if snapshot is None or event.id > snapshot["seq"]]
    first = 1 if snapshot is None else snapshot["seq"] + 1
    if uncovered != list(range(first, first + len(uncovered))):
        yield f"the log has gaps or doubles from {first} on: {uncovered}"


def _of_stages(story: JobStory) -> Iterator[str]:
    events = story.watchers[0].events
    begun = [event.data for event in events if event.type == "stage"]
    highest = 0
    for stage in begun:
        if stage["index"] < highest:
            yield f"{stage['stage']} ran again after stage {highest} had begun"
        highest = max(highest, stage["index"])
    for name in story.application.stages:
        attempts = [stage["attempt"] for stage in begun if stage["stage"] == name]
        if attempts != sorted(set(attempts)):
            yield f"the attempts at {name} were {attempts}"
        yield from _of_outcomes(story, name, attempts)
        yield from _of_checkpoint(story, name)
    yield from _of_retries(story, events)
    yield from _of_asking(story) if story.run_id else _of_model_calls(story, begun)


def _of_outcomes(story: JobStory, stage: str, attempts: Sequence[int]) -> Iterator[str]:
    """An attempt that finished its stage is the last that did any work on it."""
    for each in story.invocations:
        done = each["function"] == stage and each["ended"] and each["errorType"] is None
        attempt = each["payload"].get("retry", 0) + 1
        if done and any(later > attempt for later in attempts):
            yield f"attempt {attempt} at {stage} finished it although attempt {max(attempts)} had taken over"


def _of_checkpoint(story: JobStory, stage: str) -> Iterator[str]:
    """The checkpoint that counts is that of the attempt that began the stage last."""
    checkpoint = story.stored.get(keys.JOB, {}).get("checkpoints", {}).get(stage)
    began = [event.fence for event in stored_log(story) if event.type == "stage" and event.data["stage"] == stage]
    if checkpoint and began and Fence.parse(checkpoint["fence"]) != began[-1]:
        yield f"the checkpoint of {stage} is of {checkpoint['fence']}, but {began[-1]} began it last"


def _of_retries(story: JobStory, events: Sequence[Event]) -> Iterator[str]:
    """Every reset of a retry is followed by its attempt's `stage`; a retry may die before it can say anything."""
    counted = story.shown["retryCount"]
    made = sum(
        each["payload"].get("retry", 0) > 0 and each["function"] in story.application.stages
        for each in story.invocations
    )
    resets = [event for event in events if event.type == "reset" and event.data["reason"] != "REPAIR"]
    counts = [event.data["retryCount"] for event in resets if event.data["attempt"] > 1]
    if counts != sorted(set(counts)) or any(count > counted for count in counts):
        yield f"resets counted the retries {counts}, the job {counted}"
    if not len(counts) <= counted <= made:
        yield f"{len(counts)} resets of retries, {counted} retries counted, {made} made"
    for event in resets:
        following = next((each for each in events if each.id == (event.id or 0) + 1), None)
        if following is not None and (following.type, following.data.get("attempt")) != (
            "stage",
            event.data["attempt"],
        ):
            yield f"reset {event.id} of attempt {event.data['attempt']} is followed by {_brief(following)}"


def _of_model_calls(story: JobStory, begun: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One call per attempt that began, and none for a stage that is finished."""
    compacted = any(event.type == "snapshot" for event in story.watchers[0].events)
    first_calls = [call for call in story.model_calls if not call.repair]
    attempts = [stage for stage in begun if stage["index"] == 1]
    if not compacted and len(first_calls) > len(attempts):
        yield f"{len(first_calls)} model calls for {len(attempts)} attempts"
    validating = [event.at for event in stored_log(story) if event.type == "stage" and event.data["index"] == 2]
    late = [call for call in first_calls if validating and call.arrived_at > min(validating)]
    # An attempt that was lost between its claim and its call may still make the call; it cannot know yet.
    lost = sum(each["abandoned"] for each in story.invocations)
    if len(late) > lost:
        yield f"{len(late)} model calls for a stage that was finished"


# ---- ideas: none is lost, none comes twice, none that is there is asked for again ------------------------------------


def _items(events: Sequence[Event]) -> dict[str, Any]:
    """The items a client shows after these events, by key."""
    items: dict[str, Any] = {}
    for event in events:
        match event.type:
            case "item":
                items[event.data["key"]] = _said(event.data)
            case "snapshot":
                items = {item["key"]: _said(item) for item in event.data["items"]}
    return items


def _of_ideas(story: JobStory) -> Iterator[str]:
    ideas = [item["data"] for item in story.shown["items"]]
    if [idea["number"] for idea in ideas] != list(range(1, len(ideas) + 1)):
        yield f"the ideas are numbered {[idea['number'] for idea in ideas]}"
    if len({idea["title"] for idea in ideas}) < len(ideas):
        yield f"an idea came twice: {[idea['title'] for idea in ideas]}"
    for watcher in story.watchers:
        keys_seen = [event.data["key"] for event in watcher.events if event.type == "item"]
        if len(set(keys_seen)) < len(keys_seen):
            yield f"a watcher saw an idea twice: {keys_seen}"
    if story.shown["status"] != "completed":
        return
    if story.shown["result"]["ideas"] != ideas or len(ideas) != IDEAS:
        yield f"the result has {len(story.shown['result']['ideas'])} ideas, {len(ideas)} were kept"
    lines = [json.loads(line)["title"] for line in story.shown["text"].splitlines()]
    if lines != [idea["title"] for idea in ideas]:
        yield f"the text has the ideas {lines}"


def _of_run(story: JobStory) -> Iterator[str]:
    if story.run is None or story.lineage is None:
        yield "the run is not to be shown"
        return
    ideas = [item["data"] for item in story.shown["items"]]
    transform = story.run["transform"]
    if not story.run["status"] == transform["status"] == story.shown["status"]:
        yield f"the run is {story.run['status']}, its transform {transform['status']}, the job {story.shown['status']}"
    if transform["retryCount"] != story.shown["retryCount"]:
        yield f"the transform counts {transform['retryCount']} retries, the job {story.shown['retryCount']}"
    if story.run["ideas"] != ideas:
        yield f"the run has {len(story.run['ideas'])} ideas, the job {len(ideas)}"
    versions = [each["version"] for each in story.lineage["artefacts"] if each["role"] == "ideas"]
    if versions != list(range(1, len(versions) + 1)):
        yield f"the ideas have the versions {versions}"


def _of_asking(story: JobStory) -> Iterator[str]:
    """Every request names what is there and asks for the rest; an attempt knows what those before it have kept."""
    titles = [item["data"]["title"] for item in story.shown["items"]]
    began = [event for event in stored_log(story) if event.type == "stage"]
    last = [event.at for event in began if event.data["index"] == event.data["of"]]
    generating = [event for event in began if event.data["stage"] == story.application.stages[1]]
    outdated = 0
    for call in story.model_calls:
        if call.missing is None:
            continue
        if call.missing + len(call.known) != IDEAS or titles[: len(call.known)] != list(call.known):
            yield f"{call.missing} ideas were asked for beside {call.known}, which is not as it was kept: {titles}"
        due = max((event.id for event in generating if event.at < call.arrived_at), default=0)
        kept = len(_items([event for event in story.watchers[0].events if (event.id or 0) <= due]))
        outdated += len(call.known) < kept or bool(last and call.arrived_at > min(last))
    # An attempt that was lost between its claim and its call may still make the call; it cannot know yet.
    if outdated > sum(each["abandoned"] for each in story.invocations):
        yield f"{outdated} requests asked for ideas that were there"


def _brief(event: Event) -> str:
    return f"{event.type} {str(event.data)[:120]}"
