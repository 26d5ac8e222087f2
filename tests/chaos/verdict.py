"""Check the promises of docs/stream.md for every job, against its watchers' events and its stored items."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.log.fence import Fence
from shared.storage import keys
from tests.api_user import TERMINAL, Event, fold
from tests.chaos.story import JobStory, Stored, items_of, stored_fences, stored_log, subtasks_of, without_nulls
from tests.chaos.watcher import Watcher

_ENDED_AS = {"completed": "complete", "failed": "error", "cancelled": "cancelled"}


def changed_fields(shown: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """Return what has changed of a job that had ended, except for what a lost attempt may still add to its usage."""
    changed = {name for name in again if again[name] != shown.get(name)}
    if "usage" in changed and _has_grown(shown.get("usage"), again.get("usage")):
        changed -= {"usage", "updatedAt"}
    return sorted(changed)


def _has_grown(before: Any, after: Any) -> bool:
    """Return whether no number is smaller; a sum that has become unknown is null."""
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        earlier, later = before or {}, after or {}
        return all(_has_grown(earlier.get(name), later.get(name)) for name in {*earlier, *later})
    return after is None or bool(after >= (before or 0))


def violations(story: JobStory) -> list[str]:
    """Return the broken promises of a job; empty if it keeps all."""
    found = [*story.problems]
    ended = story.shown["status"] in _ENDED_AS
    if not ended:
        found.append(f"the job is {story.shown['status']} and does not end")
    log = stored_log(story)
    for watcher in story.watchers:
        found += [
            f"{watcher.kind} watcher: {problem}"
            for problem in (*watcher.problems, *_of_watcher(watcher, story, log, ended))
        ]
    found += _of_topic(story)
    found += _of_end(story)
    found += _of_log(log, story)
    found += _of_stages(story)
    found += story.application.violations(story)
    return found


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
    items = items_of(events)
    if list(items.values()) != [without_nulls(item) for item in story.shown["items"]]:
        yield f"folded to the items {list(items)}, GET shows {[item['key'] for item in story.shown['items']]}"
    shown = {each["key"]: (each["title"], each["status"]) for each in story.shown["subtasks"]}
    if subtasks_of(events) != shown:
        yield f"folded to the subtasks {subtasks_of(events)}, GET shows {shown}"
    yield from _of_ends(watcher, _ENDED_AS[story.shown["status"]])
    if watcher.last_id != story.shown["lastEventId"]:
        yield f"saw the log end at {watcher.last_id}, GET says {story.shown['lastEventId']}"
    if events and events[-1].type == "complete" and events[-1].data["result"] != story.shown["result"]:
        yield f"complete brought {events[-1].data['result']}, GET shows {story.shown['result']}"


def _of_topic(story: JobStory) -> Iterator[str]:
    """Check that the follower of the application's topic has seen the stored events, each once and in order."""
    if story.follower is None:
        return
    yield from (f"topic watcher: {problem}" for problem in (*story.follower.problems, *_of_ids(story.follower.events)))
    seen = {event.id: without_nulls(event.data) for event in story.follower.events}
    for number, stored in story.topic_events:
        if seen.get(number) != without_nulls(stored):
            yield f"topic event {number} was seen as {str(seen.get(number))[:120]} and is stored as {str(stored)[:120]}"


def _of_ends(watcher: Watcher, end: str) -> Iterator[str]:
    """Check that each generation that the watcher saw ends once, and the last one with `end`."""
    *earlier, last = watcher.generations
    for events in earlier:
        ends = [event.type for event in events if event.type in TERMINAL]
        if len(ends) > 1 or (ends and events[-1].type not in TERMINAL):
            yield f"saw the ends {ends} of one generation"
    ends = [event.type for event in last if event.type in TERMINAL]
    if ends != [end] or last[-1].type not in TERMINAL:
        yield f"saw the ends {ends} of a job that ended with {end}"


def _of_ids(events: Sequence[Event]) -> Iterator[str]:
    last = 0
    for event in events:
        if event.id is None or event.id <= last:
            yield f"event {event.id} came after {last}"
        elif event.id != last + 1 and event.type != "snapshot":
            yield f"event {last + 1} is missing before {event.id}"
        last = event.id or last


def _same(event: Event, kept: Stored) -> bool:
    """Compare a sent event with the stored one, which has no nulls.

    `complete` gets its result when it is read, and a `reset` the text that the stored one names.
    """
    if kept.type == "reset":
        sent = {name: value for name, value in event.data.items() if name != "text"}
        return sent.items() <= kept.data.items()
    return bool(without_nulls({**event.data, "result": None}) == without_nulls(kept.data))


def _of_end(story: JobStory) -> Iterator[str]:
    shown = story.shown
    match shown["status"]:
        case "failed" if not (shown["failure"] or {}).get("code"):
            yield "it failed without a reason"
        case "cancelled" if not any(each.what in {"cancel", "close"} for each in story.injected):
            yield "it was cancelled by nobody"
    item = story.stored.get(keys.JOB)
    generation = None if item is None else item.get("generation", 1)  # an item leaves the first one out
    if generation != 1 + story.resumptions:
        yield f"it was resumed {story.resumptions} times and is in generation {generation}"


def _of_log(log: Sequence[Stored], story: JobStory) -> Iterator[str]:
    for before, after in itertools.pairwise(log):
        if after.fence < before.fence:
            yield f"event {after.id} of the attempt {after.fence} stands behind its successor's: {before.fence}"
    for end, after in itertools.pairwise(log):
        if end.type in TERMINAL and after.fence.generation == end.fence.generation:
            events = [(event.id, event.type) for event in log]
            yield f"the log has events after the end {end.id} of a generation: {events}"
    generations = [event.fence.generation for event in log if event.type in TERMINAL]
    if generations != sorted(set(generations)):
        yield f"the generations {generations} of the log have ended"
    snapshot = story.stored.get(keys.SNAPSHOT)
    uncovered = [event.id for event in log if snapshot is None or event.id > snapshot["seq"]]
    first = 1 if snapshot is None else snapshot["seq"] + 1
    if uncovered != list(range(first, first + len(uncovered))):
        yield f"the log has gaps or doubles from {first} on: {uncovered}"


def _of_stages(story: JobStory) -> Iterator[str]:
    events = story.watchers[0].events
    for generation, part in enumerate(story.watchers[0].generations, start=1):
        yield from _of_generation(story, generation, [event.data for event in part if event.type == "stage"])
    for name in story.application.stages:
        if name in story.application.fan_outs:
            yield from _of_parts(story, name)
        yield from _of_checkpoint(story, name)
    yield from _of_retries(story, events)


def _of_generation(story: JobStory, generation: int, begun: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Check the stages that began in one generation of the job."""
    highest = 0
    for stage in begun:
        if stage["index"] < highest:
            yield f"{stage['stage']} ran again after stage {highest} had begun"
        highest = max(highest, stage["index"])
    for name in story.application.stages:
        attempts = [stage["attempt"] for stage in begun if stage["stage"] == name]
        # An attempt that Lambda runs twice may begin twice.
        if attempts != (sorted(attempts) if story.strays else sorted(set(attempts))):
            yield f"the attempts at {name} were {attempts}"
        if name not in story.application.fan_outs:
            yield from _of_outcomes(story, name, generation, attempts)


def _of_outcomes(story: JobStory, stage: str, generation: int, attempts: Sequence[int]) -> Iterator[str]:
    """Check that no attempt started after one that finished the stage."""
    for each in story.invocations:
        if each["payload"]["generation"] != generation:
            continue
        done = each["function"] == stage and each["ended"] and each["errorType"] is None
        attempt = each["payload"].get("retry", 0) + 1
        if done and any(later > attempt for later in attempts):
            yield f"attempt {attempt} at {stage} finished it although attempt {max(attempts)} had taken over"


def _of_parts(story: JobStory, stage: str) -> Iterator[str]:
    """Check that each part of the fan-out finishes once, for every watcher, and starts no attempt after that."""
    calls = [each for each in story.invocations if each["function"] == stage]
    parts = {str(each["payload"]["part"]) for each in calls}
    for position, each in enumerate(calls):
        payload = each["payload"]
        later = any(other["payload"] == {**payload, "retry": payload["retry"] + 1} for other in calls[position:])
        if later and not story.strays and each["ended"] and not each["abandoned"] and each["errorType"] is None:
            yield f"part {payload['part']} was tried again although attempt {payload['retry'] + 1} had finished it"
    missing = parts - {item["key"] for item in story.shown["items"] if item["stage"] == stage}
    if missing and story.shown["status"] == "completed":
        yield f"the parts {sorted(missing)} have no result"
    for watcher in story.watchers:
        for part in sorted(parts):
            states = [
                each.data["status"] for each in watcher.events if each.type == "subtask" and each.data["key"] == part
            ]
            if "finished" in states[:-1]:
                yield f"the part {part} went on after its end: {states}"
            results = sum(_is_item(event, stage, part) for event in watcher.events)
            if results > 1:
                yield f"a watcher saw {results} results of the part {part}"


def _is_item(event: Event, stage: str, key: str) -> bool:
    return event.type == "item" and (event.data["stage"], event.data["key"]) == (stage, key)


def _of_checkpoint(story: JobStory, stage: str) -> Iterator[str]:
    """Check that the checkpoint is that of the last attempt that began the stage."""
    checkpoint = story.stored.get(keys.JOB, {}).get("checkpoints", {}).get(stage)
    # By fences: compaction may have emptied the batch with the stage's event, but it leaves every batch's fence.
    index = story.application.stages.index(stage)
    began = [fence for fence in stored_fences(story) if fence.stage == index and not fence.is_resumption]
    if not (checkpoint and began):
        return
    stored = Fence.parse(checkpoint["fence"])
    # A resumed fan-out may have no part left to run: then it gets its checkpoint without an append.
    if stored != began[-1] and not (stage in story.application.fan_outs and stored > began[-1]):
        yield f"the checkpoint of {stage} is of {checkpoint['fence']}, but {began[-1]} began it last"


def _of_retries(story: JobStory, events: Sequence[Event]) -> Iterator[str]:
    """Check that a `stage` event follows every reset of a retry; a retry may end before its first event."""
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
        if event.data["reason"] == "RESUMED":
            continue  # what follows depends on where the job resumes
        following = next((each for each in events if each.id == (event.id or 0) + 1), None)
        if following is not None and (following.type, following.data.get("attempt")) != (
            "stage",
            event.data["attempt"],
        ):
            yield f"reset {event.id} of attempt {event.data['attempt']} is followed by {_brief(following)}"


def _brief(event: Event) -> str:
    return f"{event.type} {str(event.data)[:120]}"
