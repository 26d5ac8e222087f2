"""Video chat in chaos: each scene that is made is in its project once, whatever else happens to both."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from shared.apps.video.build.toolchain import is_installed
from shared.jobs.ids import ulid_of
from shared.storage import keys
from tests.apps.video.chaos_projects import (
    MESSAGE,
    OPERATIONS,
    RENAME,
    UNDO,
    also_shown,
    deleted,
    new_project,
    number_of,
    stored_project,
)
from tests.apps.video.chaos_renders import RENDER_APPLICATION
from tests.apps.video.compiler_lane import PACKAGES
from tests.chaos.application import Application, Broken
from tests.chaos.plan import Action, Cancel, KillAtWrite, KillChild, Moment, Operate, Straggle, StraggleAtCall, Trouble
from tests.chaos.story import JobStory, ModelCall, stored_log

STAGES = ("decide_tool", "brief_scenes", "make_scenes", "save_scenes")
_FUNCTIONS = ("DecideToolFunction", "BriefScenesFunction", "MakeScenesFunction", "SaveScenesFunction")
_REPAIRED = 6
"""Every sixth job has scenes whose first code does not build: to name all faults takes a second of computing."""
_PACE = re.compile(r"\btokens=\d+, |\btoken_ms=\d+")
_LABEL = "What to make, as data:\n"


# ---- requests --------------------------------------------------------------------------------------------------------


def _request(page: str, script: str) -> tuple[str, dict[str, Any]]:
    # With a number of tokens the scripted model would write another text than its answer.
    fault = " [[code: undefined_name]]" if number_of(page) % _REPAIRED == 1 else ""
    script = _PACE.sub("", script).strip(", ")
    text = f"Please make a video in two scenes for Rivers; {page}{fault} [[script: {script}, token_ms=3]]"
    return "/jobs", {"pipeline": "video_chat", "input": {"text": text}}


def _request_in_turn(page: str, script: str) -> tuple[str, dict[str, Any]]:
    text = f"Please add a scene that counts for Rivers; {page} [[script: {script}]]"
    return "/jobs", {"pipeline": "video_chat", "input": {"text": text}}


def _scenes(story: JobStory) -> int:
    """Return how many scenes the message asks for."""
    return 1 if story.plan.in_turn else 2


# ---- promises --------------------------------------------------------------------------------------------------------


def _violations(story: JobStory) -> Iterator[str]:
    yield from _of_revisions(story)
    yield from _of_causes(story)
    yield from _of_versions(story)
    yield from _of_answer(story)
    yield from _of_result(story)
    yield from _of_steps(story)
    yield from _of_model_calls(story)
    yield from _of_views(story)


def _versions(revision: Mapping[str, Any]) -> dict[str, int]:
    return {each["sceneId"]: each["version"] for each in revision["manifest"]["scenes"]}


def _of_revisions(story: JobStory) -> Iterator[str]:
    """Check that the revisions have no gap, and that each is the one before with its changes, and the last is now."""
    project, revisions = story.found["project"], story.found["revisions"]
    numbers = [each["number"] for each in revisions]
    if numbers != list(range(1, project["revision"] + 1)):
        yield f"the revisions {numbers} are stored, and the project has revision {project['revision']}"
        return
    state: dict[str, Any] = {}
    for each in revisions:
        for change in each["changes"]:
            if change["change"] in {"added", "changed"}:
                state[change["id"]] = each["number"] if each["cause"]["kind"] == "chat" else change["after"]
            elif change["change"] == "removed":
                state.pop(change["id"], None)
        scenes = each["manifest"]["scenes"]
        if _versions(each) != state or len(scenes) != len(state):
            yield f"revision {each['number']} has the scenes {scenes}, and its changes make it {state}"
    if any(revisions[-1][name] != project[name] for name in ("manifest", "title", "format")):
        yield f"the project is {project}, its last revision {revisions[-1]}"


def _of_causes(story: JobStory) -> Iterator[str]:
    """Check that each job has made one revision at most, and each operation those that it was answered with."""
    causes = [each["cause"] for each in story.found["revisions"]]
    by_job = Counter(each["jobId"] for each in causes if each["kind"] == "chat")
    if any(count > 1 for count in by_job.values()):
        yield f"a job has made several revisions: {by_job}"
    answered = {each["jobId"]: each for each in story.found["messages"] if each["role"] == "assistant"}
    told = {job_id for job_id, each in answered.items() if each["changes"]}
    if told != set(by_job):
        yield f"the revisions are those of {sorted(by_job)}, the answers with changes of {sorted(told)}"
    direct = sum(each["kind"] == "direct" for each in causes)
    sent = Counter(each.detail for each in story.injected if each.what == f"operation: {RENAME}")
    if not sent["200"] <= direct <= sent["200"] + sent["503"]:
        yield f"{direct} revisions are the owner's own, whose operations were answered {dict(sent)}"
    for each in story.found["revisions"]:
        of_scenes = [change for change in each["changes"] if change["change"] != "project"]
        if of_scenes and each["cause"]["kind"] != "revert" and each["cause"]["jobId"] != story.job_id:
            yield f"revision {each['number']} was no change of scenes, and has {of_scenes}"


def _of_versions(story: JobStory) -> Iterator[str]:
    """Check that the stored versions are exactly those that the revisions refer to."""
    referred = {
        f"SCENE#{scene_id}#V#{version:010d}"
        for each in story.found["revisions"]
        for scene_id, version in _versions(each).items()
    }
    if referred != set(story.found["versions"]) or len(referred) != len(story.found["versions"]):
        yield f"the revisions refer to {sorted(referred)}, and stored are {story.found['versions']}"


def _own_revisions(story: JobStory) -> list[dict[str, Any]]:
    return [each for each in story.found["revisions"] if each["cause"]["jobId"] == story.job_id]


def _messages(story: JobStory, role: str) -> list[dict[str, Any]]:
    messages = story.found["messages"]
    return [each for each in messages if (each["jobId"], each["role"]) == (story.job_id, role)]


def _of_answer(story: JobStory) -> Iterator[str]:
    """Check that the chat tells how the job has ended, and has at most one answer, with its revision."""
    asked, answers, shown = _messages(story, "user"), _messages(story, "assistant"), story.shown
    failure = asked[0]["failure"] if len(asked) == 1 else None
    codes = (failure or {}).get("code"), (shown["failure"] or {}).get("code")
    # An answered message is completed, however its job ends.
    told = ("completed", None) if answers else (shown["status"], codes[1])
    if len(asked) != 1 or (asked[0]["status"], codes[0]) != told:
        yield f"the job is {shown['status']} {shown['failure']}, and its message {asked}"
    if len(answers) != (1 if shown["status"] == "completed" else len(answers[:1])):
        yield f"the job is {shown['status']} and has the answers {answers}"
    own = [each["number"] for each in _own_revisions(story)]
    if [each["revision"] for each in answers if each["changes"]] != own:
        yield f"the answers {answers} tell of the revisions {own}"


def _of_result(story: JobStory) -> Iterator[str]:
    """Check that the scenes of a completed job are in its revision, each once, and are those of its items."""
    if story.shown["status"] != "completed":
        return
    result, own = story.shown["result"], _own_revisions(story)
    if not (result["outcome"] == "changed" and len(own) == 1 and own[0]["number"] == result["revision"]):
        yield f"the result is {result}, and the job has made the revisions {own}"
        return
    added = [each["id"] for each in result["changes"] if each["change"] == "added"]
    expected = [f"scn_{ulid_of(story.job_id)}-{part}" for part in range(_scenes(story))]
    in_project = [each for each in _versions(own[0]) if each in expected]
    if added != expected or in_project != expected:
        yield f"the result has added {added}, the revision has {in_project} of {expected}"
    items = {item["key"]: item["data"] for item in story.shown["items"] if item["key"].startswith("scene-")}
    if {key: each["version"] for key, each in items.items()} != {f"scene-{each}": own[0]["number"] for each in added}:
        yield f"the items tell of the scenes {items}, added were {added}"


def _of_steps(story: JobStory) -> Iterator[str]:
    """Check that watchers saw what is told once for each scene once, and each item as often as it is written."""
    shown = Counter(item["key"] for item in story.shown["items"])
    if any(count > 1 for count in shown.values()):
        yield f"an item is shown twice: {shown}"
    for watcher in story.watchers:
        items = Counter(event.data["key"] for event in watcher.events if event.type == "item")
        # The code of a scene is kept again for its repair, and when it is repaired.
        twice = [key for key, count in items.items() if count > 1 and not key.startswith("code-")]
        if twice:
            yield f"a watcher saw the items {twice} twice"
        told = Counter(
            (event.data["key"], event.data["status"])
            for event in watcher.events
            if event.type == "sceneStatus" and event.data["status"] in {"planned", "playable", "saved"}
        )
        once = story.shown["status"] == "completed" and not watcher.has_snapshot
        if any(count > 1 for count in told.values()) or (once and len(told) != 3 * _scenes(story)):
            yield f"a watcher was told of the scenes {dict(told)}"


def _of_model_calls(story: JobStory) -> Iterator[str]:
    """Check that the model is not asked again for what is stored."""
    if story.plan.trouble.rules:
        return  # a code that cannot be repaired is written again
    log = stored_log(story)
    kept_at: dict[str, float] = {}
    for event in log:
        if event.type == "item":
            kept_at.setdefault(event.data["key"], event.at)
    # What compaction has removed is older than the events behind the snapshot; older batches may be left before it.
    covered = story.stored.get(keys.SNAPSHOT, {}).get("seq", 0)
    behind = next((event.at for event in log if event.id > covered), log[-1].at)
    for item in story.shown["items"]:
        kept_at.setdefault(item["key"], behind)
    numbers = {
        item["data"]["brief"]["name"]: item["key"].removeprefix("brief-")
        for item in story.shown["items"]
        if item["key"].startswith("brief-")
    }
    late = []
    for call in story.model_calls:
        key = _item_of(call, numbers)
        if not call.repair and call.arrived_at > kept_at.get(key, call.arrived_at):
            late.append(key)
    # An attempt that was lost between its last write and its call may still make the call; it cannot know yet.
    if len(late) > story.strays:
        yield f"the model was asked for {late} again"


def _item_of(call: ModelCall, numbers: Mapping[str, str]) -> str:
    """Return the key of the item in which the output of a call is kept."""
    if call.output is not None:
        return {"scene_decision": "decision", "scene_plan": "plan-1", "scene_brief": "brief-1"}[call.output]
    text = next(each["content"] for each in call.messages if each["content"].startswith(_LABEL))
    wanted = json.JSONDecoder().raw_decode(text.removeprefix(_LABEL))[0]
    return f"code-{numbers.get(wanted['scene']['brief']['name'], '?')}"


def _of_views(story: JobStory) -> Iterator[str]:
    """Check that the operations show what is stored."""
    project, messages, revisions = (story.also[name] for name in ("project", "messages", "revisions"))
    if project is None or messages is None or revisions is None:
        yield f"the project is not shown: {story.also}"
        return
    at = next((each for each in story.found["revisions"] if each["number"] == project["revision"]), None)
    if at is None or [each["sceneId"] for each in project["scenes"]] != list(_versions(at)):
        yield f"the project is shown with the scenes {project['scenes']}, its revision is {at}"
    shown = [each["revision"] for each in revisions["revisions"]]
    if shown != sorted(shown, reverse=True) or len(shown) < project["revision"]:
        yield f"the revisions {shown} are shown"
    if len(messages["messages"]) > len(story.found["messages"]):
        yield f"the messages {messages} are shown"


def _counted(story: JobStory) -> dict[str, int]:
    """Count what the verdict has compared."""
    return {
        "revisions of projects": len(story.found["revisions"]),
        "scenes that a job has saved": sum(len(each["changes"]) for each in _own_revisions(story)),
        "requests to the model": len(story.model_calls),
    }


# ---- scenarios -------------------------------------------------------------------------------------------------------

_MOST_CALLS = (8, 10, 40, 14)
"""About how many calls of AWS that name the job each function makes."""
STOPPED, SAVE_KILLED = "killed in a stage of a video", "killed at the save"


def _stopped(chance: random.Random) -> Trouble:
    """Kill an attempt at one of its calls of AWS, or cancel the job, in any of the four stages."""
    at = chance.randrange(len(STAGES))
    if chance.random() < 0.4:
        return Trouble((Cancel(Moment("stage", at + 1, chance.uniform(0, 0.4))),))
    executed, skip = chance.random() < 0.5, chance.randrange(_MOST_CALLS[at])
    return Trouble((KillAtWrite(Moment("created"), STOPPED, "", (), executed, skip, _FUNCTIONS[at]),))


def _save_killed(chance: random.Random) -> Trouble:
    """Kill the attempt that saves, before or after its transaction, while the owner changes the project."""
    executed = chance.random() < 0.6
    killed = KillAtWrite(Moment("created"), SAVE_KILLED, "TransactWriteItems", (), executed, 0, _FUNCTIONS[-1])
    after = Operate(Moment("last", 1, chance.uniform(0, 0.5)), chance.choice((RENAME, UNDO)))
    return Trouble((killed, after) if chance.random() < 0.5 else (killed,))


def _compiler_killed(chance: random.Random) -> Trouble:
    again = (KillChild(Moment("item", chance.randint(4, 6))),) if chance.random() < 0.5 else ()
    return Trouble((KillChild(Moment("delta", chance.randint(1, 3))), *again))


def _straggles(chance: random.Random) -> Trouble:
    """Lose an attempt in make between two items, or in save between its reads and its transaction."""
    back = Moment(chance.choice(("end", "reset")), 1, chance.uniform(0, 0.3))
    if chance.random() < 0.5:
        return Trouble((Straggle(Moment("item", chance.randint(4, 8), chance.uniform(0, 0.1)), back),))
    skip = chance.randrange(2)
    return Trouble((StraggleAtCall(Moment("created"), back, "GetItem", _FUNCTIONS[-1], skip),))


def _changed_by_others(chance: random.Random) -> Trouble:
    """Let the owner and other messages change the project around the save, and perhaps kill the attempt there."""
    moments = (Moment("item", chance.randint(1, 8), chance.uniform(0, 0.2)) for _ in range(3))
    actions: list[Action] = [
        Operate(at, name) for at, name in zip(moments, (MESSAGE, RENAME, chance.choice((UNDO, RENAME))), strict=True)
    ]
    return Trouble(tuple(actions))


SCENARIOS = {
    "stage of a video stopped": _stopped,
    SAVE_KILLED: _save_killed,
    "compiler killed": _compiler_killed,
    "straggler in make or save": _straggles,
    "project changed by others": _changed_by_others,
}


# ---- stories that break a promise ------------------------------------------------------------------------------------


def _with_a_revision_missing(story: JobStory) -> None:
    del story.found["revisions"][0]


def _with_a_scene_twice(story: JobStory) -> None:
    scenes = _own_revisions(story)[0]["manifest"]["scenes"]
    scenes.append(scenes[0])


def _with_a_scene_lost(story: JobStory) -> None:
    for each in (*_own_revisions(story), story.found["project"]):
        each["manifest"]["scenes"].pop()


def _with_two_revisions(story: JobStory) -> None:
    own = _own_revisions(story)[0]
    story.found["project"]["revision"] += 1
    story.found["revisions"].append({**own, "number": own["number"] + 1, "changes": []})


def _without_a_version(story: JobStory) -> None:
    story.found["versions"].pop()


def _with_another_status_in_the_chat(story: JobStory) -> None:
    _messages(story, "user")[0]["status"] = "running"


def _with_an_answer_twice(story: JobStory) -> None:
    story.found["messages"] += _messages(story, "assistant")


def _with_an_item_seen_twice(story: JobStory) -> None:
    events = story.watchers[0].events
    position, item = next((at, each) for at, each in enumerate(events) if each.type == "item")
    events.insert(position + 1, item)


def _never_told_that_a_scene_plays(story: JobStory) -> None:
    watcher = story.watchers[0]
    watcher.events = [
        each for each in watcher.events if each.type != "snapshot" and each.data.get("status") != "playable"
    ]


def _asking_for_code_again(story: JobStory) -> None:
    first = next(call for call in story.model_calls if call.output == "scene_decision")
    story.model_calls += [replace(first, arrived_at=first.arrived_at + 600)]


APPLICATIONS = (
    Application(
        pipeline="video_chat",
        share=0.2,
        stages=STAGES,
        request=_request,
        request_in_turn=_request_in_turn,
        is_whole=lambda text: text.endswith("```\n"),
        violations=_violations,
        broken=(
            Broken(_with_a_revision_missing, "are stored, and the project has revision"),
            Broken(_with_a_scene_twice, "and its changes make it"),
            Broken(_with_a_scene_lost, "and its changes make it"),
            Broken(_with_two_revisions, "a job has made several revisions"),
            Broken(_without_a_version, "the revisions refer to"),
            Broken(_with_another_status_in_the_chat, "and its message"),
            Broken(_with_an_answer_twice, "has the answers"),
            Broken(_with_an_item_seen_twice, "saw the items"),
            Broken(_never_told_that_a_scene_plays, "was told of the scenes"),
            Broken(_asking_for_code_again, "again"),
        ),
        also_shown=also_shown,
        prepare=new_project,
        evidence=stored_project,
        afterwards=deleted,
        operations=OPERATIONS,
        scenarios=SCENARIOS,
        required=(SAVE_KILLED,),
        counted=_counted,
        missing=None if PACKAGES.is_dir() or is_installed() else "the compiler of scenes is missing; run `make video`",
    ),
    RENDER_APPLICATION,
)
