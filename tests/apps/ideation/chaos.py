"""The ideation pipeline in chaos: no idea is lost or repeated, and no stored idea is requested again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.chaos.application import Application, Broken
from tests.chaos.story import JobStory, ModelCall, items_of, stored_log

IDEAS = 8
"""The number of ideas of a job."""
STAGES = ("prepare_ideas", "generate_ideas", "arrange_ideas")
_KEPT = "These ideas exist already; do not repeat them:\n"
_LIST = re.compile(r"^- g\d+: (\d+) for ", re.MULTILINE)


def _request(page: str, script: str) -> tuple[str, dict[str, Any]]:
    return "/ideations", {
        "platform": page,
        "genrePaths": [["Fiction", "Mystery"], ["Sport"]],
        "genreProportions": [60, 40],
        "requirements": f"[[script: {script}]]",
        "ideaCount": IDEAS,
        "arrangement": "rank",
    }


def _also_shown(created: Mapping[str, Any]) -> dict[str, str]:
    run = f"/ideations/{created['runId']}"
    return {"run": run, "lineage": f"{run}/lineage"}


def _is_whole(text: str) -> bool:
    return text.endswith("\n") and text.count("\n") == IDEAS


def _violations(story: JobStory) -> Iterator[str]:
    yield from _of_model_calls(story)
    yield from _of_ideas(story)
    yield from _of_run(story)


def _asked_for(call: ModelCall) -> tuple[int, list[str]] | None:
    """Return how many ideas the request asks for and the titles it names as kept; None if it does not ask for ideas."""
    wanted, _, kept = call.prompt.partition(_KEPT)
    counts = [int(count) for count in _LIST.findall(wanted)]
    return (sum(counts), [line.removeprefix("- ") for line in kept.splitlines()]) if counts else None


def _of_model_calls(story: JobStory) -> Iterator[str]:
    """Yield a violation if a request does not name every stored idea and ask for exactly the rest."""
    titles = [item["data"]["title"] for item in story.shown["items"]]
    began = [event for event in stored_log(story) if event.type == "stage"]
    last = [event.at for event in began if event.data["index"] == event.data["of"]]
    # A compacted log no longer says when its stages began.
    last += [call.arrived_at for call in story.model_calls if call.output == "ranking"]
    generating = [event for event in began if event.data["stage"] == STAGES[1]]
    outdated = 0
    for call in story.model_calls:
        asked = _asked_for(call)
        if asked is None:
            continue
        missing, known = asked
        if missing + len(known) != IDEAS or titles[: len(known)] != known:
            yield f"{missing} ideas were asked for beside {known}, which is not as it was kept: {titles}"
        due = max((event.id for event in generating if event.at < call.arrived_at), default=0)
        kept = len(items_of([event for event in story.watchers[0].events if (event.id or 0) <= due]))
        outdated += len(known) < kept or bool(last and call.arrived_at > min(last))
    # An attempt that was lost between its claim and its call may still make the call; it cannot know yet.
    if outdated > story.strays:
        yield f"{outdated} requests asked for ideas that were there"


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
    run, lineage = story.also["run"], story.also["lineage"]
    if run is None or lineage is None:
        yield "the run is not shown"
        return
    ideas = [item["data"] for item in story.shown["items"]]
    transform = run["transform"]
    if not run["status"] == transform["status"] == story.shown["status"]:
        yield f"the run is {run['status']}, its transform {transform['status']}, the job {story.shown['status']}"
    if transform["retryCount"] != story.shown["retryCount"]:
        yield f"the transform counts {transform['retryCount']} retries, the job {story.shown['retryCount']}"
    if run["ideas"] != ideas:
        yield f"the run has {len(run['ideas'])} ideas, the job {len(ideas)}"
    versions = [each["version"] for each in lineage["artefacts"] if each["role"] == "ideas"]
    if versions != list(range(1, len(versions) + 1)):
        yield f"the ideas have the versions {versions}"


# ---- stories that break a promise ------------------------------------------------------------------------------------


def _shown(story: JobStory, name: str) -> dict[str, Any]:
    shown = story.also[name]
    assert shown is not None
    return shown


def _without_an_idea(story: JobStory) -> None:
    del _shown(story, "run")["ideas"][2]


def _with_an_idea_twice(story: JobStory) -> None:
    story.shown["items"][3]["data"] = story.shown["items"][2]["data"]


def _with_an_item_seen_twice(story: JobStory) -> None:
    events = story.watchers[0].events
    position, item = next((position, each) for position, each in enumerate(events) if each.type == "item")
    events.insert(position + 1, item)


def _with_a_run_that_does_not_end(story: JobStory) -> None:
    _shown(story, "run")["status"] = "running"


def _with_a_version_missing(story: JobStory) -> None:
    for artefact in _shown(story, "lineage")["artefacts"]:
        artefact["version"] += 1


def _asking_for_ideas_again(story: JobStory) -> None:
    first = next(call for call in story.model_calls if _asked_for(call))
    story.model_calls += [replace(first, arrived_at=first.arrived_at + 60)]


def _asking_for_too_few_ideas(story: JobStory) -> None:
    position, call = next((position, call) for position, call in enumerate(story.model_calls) if _asked_for(call))
    fewer = _LIST.sub(lambda found: found.group().replace(found[1], str(int(found[1]) - 1)), call.prompt, count=1)
    story.model_calls[position] = replace(call, prompt=fewer)


APPLICATION = Application(
    pipeline="ideation",
    share=0.35,
    stages=STAGES,
    request=_request,
    is_whole=_is_whole,
    violations=_violations,
    broken=(
        Broken(_without_an_idea, "the run has 7 ideas"),
        Broken(_with_an_idea_twice, "an idea came twice"),
        Broken(_with_an_item_seen_twice, "saw an idea twice"),
        Broken(_with_a_run_that_does_not_end, "the run is running"),
        Broken(_with_a_version_missing, "have the versions"),
        Broken(_asking_for_ideas_again, "asked for ideas that were there"),
        Broken(_asking_for_too_few_ideas, "ideas were asked for beside"),
    ),
    also_shown=_also_shown,
)

APPLICATIONS = (APPLICATION,)
