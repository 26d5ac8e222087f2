"""The sheet pipelines in chaos: each call of a tool changes the workbook once, and an export has exactly its cells."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.tools.turn import PREFIX, key_of
from tests.apps.sheets.chaos_sessions import (
    EDITED,
    ROWS,
    SESSION_TOPIC,
    also_shown,
    edited,
    exported_rows,
    loaded,
    path_of,
    stored_versions,
    uploaded,
)
from tests.chaos.application import Application, Broken
from tests.chaos.plan import Action, Close, KillAtWrite, KillChild, ModelRule, Moment, Scenario, Trouble
from tests.chaos.story import JobStory, stored_log

ANSWERED = "(This is the scripted model, no AI.)"
"""The end of each answer of the scripted model."""
GROSS: list[list[Any]] = [["Gross"], [144.6], [96], [119.4]]
"""The column that the model adds: with one call for its header, and one for the other cells."""
_LENGTH = re.compile(r"\btokens=\d+, ")


# ---- requests --------------------------------------------------------------------------------------------------------


def _chat(page: str, script: str) -> tuple[str, dict[str, Any]]:
    # With a number of tokens the scripted model would write another text than its answer.
    text = f"Please add a column Gross = amount * 1.2; {page} [[script: {_LENGTH.sub('', script)}]]"
    return "/jobs", {"pipeline": "sheet_chat", "input": {"text": text}}


def _load(_page: str, _script: str) -> tuple[str, dict[str, Any]]:
    return "/jobs", {"pipeline": "sheet_load", "input": {}}


def _export(_page: str, _script: str) -> tuple[str, dict[str, Any]]:
    return "/jobs", {"pipeline": "sheet_export", "input": {"format": "xlsx"}}


# ---- promises --------------------------------------------------------------------------------------------------------


def _of_session(story: JobStory) -> Iterator[str]:
    """Check that versions are numbered without gaps, and that none follows the end of the session."""
    session = story.also["session"]
    if session is None:
        yield "the session is not shown"
        return
    numbers = [each["number"] for each in story.found["versions"]]
    if numbers != list(range(1, session["version"] + 1)):
        yield f"the versions {numbers} are stored, and the session has version {session['version']}"
    events = [event for _, event in story.topic_events]
    closed = next((at for at, each in enumerate(events) if each.get("state") == "CLOSED"), len(events))
    late = [each["version"] for each in events[closed:] if each["type"] == "version"]
    if late:
        yield f"the versions {late} were published after the session was closed"
    announced = [each["version"] for each in events if each["type"] == "version"]
    if announced != numbers:
        yield f"the session's events tell of the versions {announced}, stored are {numbers}"


def _of_chat(story: JobStory) -> Iterator[str]:
    yield from _of_session(story)
    yield from _of_calls(story)
    yield from _of_conversation(story)
    yield from _of_answer(story)


def _own(story: JobStory) -> dict[str, int]:
    """Return the versions that the job has made: number by origin, as far as the origins differ."""
    own = [each for each in story.found["versions"] if (each["origin"] or "").startswith(f"{story.job_id}:")]
    return {each["origin"]: each["number"] for each in own}


def _answered(story: JobStory) -> dict[str, int]:
    """Return the versions of which the kept results of the job's calls tell: number by origin."""
    turns = {item["key"]: item["data"] for item in story.shown["items"] if item["key"].startswith(PREFIX)}
    return {
        f"{story.job_id}:{key}-call-{position}": result["version"]
        for key, turn in turns.items()
        for position, result in enumerate(turn.get("results") or (), start=1)
        if result["ok"] and result.get("version")
    }


def _of_calls(story: JobStory) -> Iterator[str]:
    """Check that the job's versions are those of the calls that were answered, each once."""
    origins = [each["origin"] for each in story.found["versions"] if each["origin"]]
    if len(set(origins)) < len(origins):
        yield f"a call has made two versions: {origins}"
    own, answered = _own(story), _answered(story)
    # Of a job that was cancelled or has failed, the last turn may have made versions and have no results.
    unanswered = {origin for origin in own if origin not in answered}
    ended_between = (
        story.shown["status"] != "completed" and len({each.rpartition("-call-")[0] for each in unanswered}) < 2
    )
    if any(own.get(origin) != number for origin, number in answered.items()) or (unanswered and not ended_between):
        yield f"the job has made the versions {own}, and its calls were answered with {answered}"


def _of_conversation(story: JobStory) -> Iterator[str]:
    """Yield a violation if a call has no result, or if the model is asked again for what is stored."""
    kept_at: dict[str, float] = {}
    for event in stored_log(story):
        if event.type == "item":
            kept_at.setdefault(event.data["key"], event.at)
    late = 0
    for call in story.model_calls:
        made = [each["id"] for message in call.messages for each in message.get("tool_calls", ())]
        results = [message["tool_call_id"] for message in call.messages if message["role"] == "tool"]
        if made != results:
            yield f"the model was shown the calls {made} with the results {results}"
        turn = key_of(1 + sum(message["role"] == "assistant" for message in call.messages))
        late += call.arrived_at > kept_at.get(turn, call.arrived_at)
    # An attempt that was lost between its last write and its call may still make the call; it cannot know yet.
    if late > story.strays:
        yield f"{late} model calls for a turn that was stored"


def _of_answer(story: JobStory) -> Iterator[str]:
    """Check what the owner is shown: the versions of the answer, and the cells."""
    own = sorted(_own(story).values())
    messages = (story.also["messages"] or {}).get("messages", ())
    shown = next((each["versions"] for each in messages if each["role"] == "assistant"), None)
    if story.shown["status"] == "completed" and not own == story.shown["result"]["versions"] == shown:
        yield f"the result has the versions {story.shown['result']['versions']}, the answer {shown}, made were {own}"
    cells = story.found["cells"]
    if story.shown["status"] != "completed" or story.plan.trouble.rules:
        return
    if _rounded(cells) != [[*row, *gross] for row, gross in zip(ROWS, GROSS, strict=True)]:
        yield f"the workbook has the cells {cells}"


def _rounded(rows: list[list[Any]] | None) -> list[list[Any]] | None:
    return rows and [[round(cell, 6) if isinstance(cell, float) else cell for cell in row] for row in rows]


def _of_load(story: JobStory) -> Iterator[str]:
    yield from _of_session(story)
    session, kinds = story.also["session"] or {}, [each["kind"] for each in story.found["versions"]]
    completed = story.shown["status"] == "completed"
    if (session.get("state"), kinds) != (("ACTIVE", ["load"]) if completed else ("ERROR", [])):
        yield f"the load is {story.shown['status']}, the session {session.get('state')} with the versions {kinds}"
    if completed and story.found["cells"] != [*ROWS, ["total", 300]]:
        yield f"the workbook has the cells {story.found['cells']}"


def _of_export(story: JobStory) -> Iterator[str]:
    yield from _of_session(story)
    if [each["kind"] for each in story.found["versions"]] != ["load", "change"]:
        yield f"an export has changed the versions: {story.found['versions']}"
    if story.shown["status"] != "completed":
        return
    rows = [
        [EDITED if (at, column) == (2, 1) else cell for column, cell in enumerate(row)] for at, row in enumerate(ROWS)
    ]
    for name, total in (("formulas", "=SUM(B2:B4)"), ("values", 420)):
        if story.found.get(name) != [*rows, ["total", total]]:
            yield f"the exported file has the {name} {story.found.get(name)}"


def _counted(story: JobStory) -> dict[str, int]:
    """Count what the verdict has compared."""
    return {
        "versions of workbooks": len(story.found["versions"]),
        "versions of chats": len(_own(story)),
        "answered calls with a version": len(_answered(story)),
        "requests to the model": len(story.model_calls),
        "exported files": int("values" in story.found),
    }


def _measured(story: JobStory) -> dict[str, float]:
    """Measure by stored times how long a chat lives on after the close of its session."""
    closed_at = (story.also["session"] or {}).get("closedAt")
    cancelled_at = [event.at for event in stored_log(story) if event.type == "cancelled"]
    if closed_at is None or not cancelled_at:
        return {}
    return {
        "from a session's close to its chat's end": cancelled_at[-1] - datetime.fromisoformat(closed_at).timestamp()
    }


# ---- scenarios -------------------------------------------------------------------------------------------------------

_PUBLISH = ("VERSION#",)
_TOOL, _SUBTASK, _COMPLETE = 'tool\\"', 'subtask\\"', 'complete\\"'
"""The type of an event in a payload, where it is JSON within JSON."""


def _killed_at(what: str, operation: str, *containing: str, executed: bool, most: int = 1) -> Scenario:
    """Kill the process of the attempt at one of the first `most` calls of this kind."""

    def trouble(chance: random.Random) -> Trouble:
        skip = chance.randrange(most)
        return Trouble((KillAtWrite(Moment("created"), what, operation, containing, executed, skip),))

    return trouble


def _killed(function: str, *, most: int) -> Scenario:
    """Kill the function's process at one of its first `most` calls of AWS that name the job."""

    def trouble(chance: random.Random) -> Trouble:
        executed, skip, created = chance.random() < 0.5, chance.randrange(most), Moment("created")
        return Trouble((KillAtWrite(created, f"{function} killed", "", (), executed, skip, f"{function}Function"),))

    return trouble


def _at(action: Any, sight: Any, *, first: int, last: int, within: float) -> Scenario:
    """Do it within some seconds after one of these events."""

    def trouble(chance: random.Random) -> Trouble:
        moment = Moment(sight, chance.randint(first, last), chance.uniform(0, within))
        injected: Action = action(moment)
        return Trouble((injected,))

    return trouble


def _closed(chance: random.Random) -> Trouble:
    """Close the session of a chat whose model hangs in its first, second or last response."""
    whole = chance.randint(0, 2)
    moment = Moment("tool", chance.randint(1, (2, 6)[whole - 1])) if whole else Moment("delta")
    rules = (ModelRule({"hang_after": 2}, None),)
    return Trouble((Close(moment),), (ModelRule({}, whole), *rules) if whole else rules)


BETWEEN, BEFORE = "killed between publish and keep", "killed before publish"
PUSHER, PUSHER_AT_END = "pusher killed", "pusher killed at the end"
CHAT_SCENARIOS: Mapping[str, Scenario] = {
    BETWEEN: _killed_at(BETWEEN, "TransactWriteItems", *_PUBLISH, executed=True, most=2),
    BEFORE: _killed_at(BEFORE, "TransactWriteItems", *_PUBLISH, executed=False, most=2),
    "engine of a chat killed": _at(KillChild, "tool", first=1, last=6, within=0.1),
    f"{PUSHER} in a chat": _killed_at(PUSHER, "PutItem", _TOOL, executed=True, most=6),
    f"{PUSHER_AT_END} of a chat": _killed_at(PUSHER_AT_END, "PutItem", _COMPLETE, executed=True),
    "session closed": _closed,
}
LOAD_SCENARIOS: Mapping[str, Scenario] = {
    "LoadWorkbook killed": _killed("LoadWorkbook", most=8),
    "engine of a load killed": _at(KillChild, "subtask", first=3, last=5, within=0.2),
    f"{PUSHER} in a load": _killed_at(PUSHER, "PutItem", _SUBTASK, executed=True, most=6),
    f"{PUSHER_AT_END} of a load": _killed_at(PUSHER_AT_END, "PutItem", _COMPLETE, executed=True),
}
EXPORT_SCENARIOS: Mapping[str, Scenario] = {
    "ExportWorkbook killed": _killed("ExportWorkbook", most=5),
    f"{PUSHER_AT_END} of an export": _killed_at(PUSHER_AT_END, "PutItem", _COMPLETE, executed=True),
}


# ---- stories that break a promise ------------------------------------------------------------------------------------


def _with_a_version_twice(story: JobStory) -> None:
    last = story.found["versions"][-1]
    story.found["versions"].append({**last, "number": last["number"] + 1})


def _with_a_version_of_no_call(story: JobStory) -> None:
    story.found["versions"][-1]["origin"] = f"{story.job_id}:turn-009-call-1"


def _with_a_version_after_the_close(story: JobStory) -> None:
    story.topic_events = [(0, {"type": "state", "state": "CLOSED"}), *story.topic_events]


def _with_a_call_without_a_result(story: JobStory) -> None:
    at, call = next((at, call) for at, call in enumerate(story.model_calls) if call.messages[-1]["role"] == "tool")
    story.model_calls[at] = replace(call, messages=call.messages[:-1])


def _asking_for_a_turn_again(story: JobStory) -> None:
    story.model_calls += [replace(story.model_calls[0], arrived_at=story.model_calls[0].arrived_at + 60)]


def _with_another_cell(story: JobStory) -> None:
    story.found["cells"][1].append("Gross")


def _without_an_event_of_the_session(story: JobStory) -> None:
    assert story.follower is not None
    del story.follower.events[1]


def _with_an_error_after_its_load(story: JobStory) -> None:
    session = story.also["session"]
    assert session is not None
    session["state"] = "ERROR"


def _with_another_cell_in_the_file(story: JobStory) -> None:
    story.found["values"][2][1] = 80


APPLICATIONS = (
    Application(
        pipeline="sheet_chat",
        share=0.35,
        stages=("prepare_message", "answer_message"),
        request=_chat,
        request_in_turn=_chat,
        is_whole=lambda text: text.endswith(ANSWERED),
        violations=_of_chat,
        broken=(
            Broken(_with_a_version_twice, "a call has made two versions"),
            Broken(_with_a_version_of_no_call, "its calls were answered with"),
            Broken(_with_a_version_after_the_close, "after the session was closed"),
            Broken(_with_a_call_without_a_result, "the model was shown the calls"),
            Broken(_asking_for_a_turn_again, "model calls for a turn that was stored"),
            Broken(_with_another_cell, "the workbook has the cells"),
            Broken(_without_an_event_of_the_session, "topic event"),
        ),
        also_shown=also_shown,
        has_tools=True,
        prepare=loaded,
        evidence=stored_versions,
        topic=SESSION_TOPIC,
        closing=lambda subject: f"{path_of(subject)}/close",
        scenarios=CHAT_SCENARIOS,
        required=(BETWEEN, BEFORE, PUSHER, PUSHER_AT_END, "child killed", "close"),
        counted=_counted,
        measured=_measured,
    ),
    Application(
        pipeline="sheet_load",
        share=0.15,
        stages=("inspect_workbook", "load_workbook"),
        request=_load,
        is_whole=lambda text: False,
        violations=_of_load,
        broken=(
            Broken(_with_an_error_after_its_load, "the load is completed, the session ERROR"),
            Broken(_with_another_cell, "the workbook has the cells"),
        ),
        also_shown=also_shown,
        prepare=uploaded,
        evidence=stored_versions,
        topic=SESSION_TOPIC,
        progress=("subtask", 5),
        scenarios=LOAD_SCENARIOS,
        required=("LoadWorkbook killed",),
        counted=_counted,
    ),
    Application(
        pipeline="sheet_export",
        share=0.1,
        stages=("export_workbook",),
        request=_export,
        is_whole=lambda text: False,
        violations=_of_export,
        broken=(Broken(_with_another_cell_in_the_file, "the exported file has the values"),),
        also_shown=also_shown,
        prepare=edited,
        evidence=exported_rows,
        topic=SESSION_TOPIC,
        progress=("stage", 1),
        scenarios=EXPORT_SCENARIOS,
        required=("ExportWorkbook killed",),
        counted=_counted,
    ),
)
