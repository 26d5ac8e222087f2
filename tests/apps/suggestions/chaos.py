"""The suggestions pipeline in chaos: one model call per attempt, and a result that equals the text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from shared.apps.suggestions.models import Suggestions
from tests.apps.suggestions.requests import FIELDS
from tests.chaos.application import Application, Broken
from tests.chaos.story import JobStory, stored_log


def _request(page: str, script: str) -> tuple[str, dict[str, Any]]:
    context = {**FIELDS, "pageOrComponent": page, "additionalContext": f"[[script: timestamps, {script}]]"}
    return "/jobs", {"pipeline": "suggestion", "input": context}


def _is_whole(text: str) -> bool:
    """Return whether the text is a complete JSON document."""
    if not text.endswith("}"):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _violations(story: JobStory) -> Iterator[str]:
    yield from _of_result(story)
    yield from _of_model_calls(story)


def _of_result(story: JobStory) -> Iterator[str]:
    shown = story.shown
    if shown["status"] == "completed" and _read(shown["text"]) != Suggestions.model_validate(shown["result"]):
        yield f"the result {shown['result']} is not what the text says: {shown['text']!r}"


def _read(text: str) -> Suggestions | None:
    try:
        return Suggestions.model_validate_json(text)
    except ValidationError:
        return None


def _of_model_calls(story: JobStory) -> Iterator[str]:
    """Yield a violation if an attempt makes several first calls, or a finished stage makes one."""
    events = story.watchers[0].events
    compacted = any(event.type == "snapshot" for event in events)
    first_calls = [call for call in story.model_calls if not call.repair]
    attempts = [event for event in events if event.type == "stage" and event.data["index"] == 1]
    if not compacted and len(first_calls) > len(attempts):
        yield f"{len(first_calls)} model calls for {len(attempts)} attempts"
    validating = [event.at for event in stored_log(story) if event.type == "stage" and event.data["index"] == 2]
    late = [call for call in first_calls if validating and call.arrived_at > min(validating)]
    # An attempt that was lost between its claim and its call may still make the call; it cannot know yet.
    if len(late) > story.strays:
        yield f"{len(late)} model calls for a stage that was finished"


# ---- stories that break a promise ------------------------------------------------------------------------------------


def _with_another_result(story: JobStory) -> None:
    story.shown["result"]["suggestions"][0]["title"] += "!"


def _asking_the_model_again(story: JobStory) -> None:
    story.model_calls += [replace(story.model_calls[0], arrived_at=story.model_calls[0].arrived_at + 60)]


APPLICATION = Application(
    pipeline="suggestion",
    share=0.65,
    stages=("generate_suggestions", "validate_suggestions"),
    request=_request,
    is_whole=_is_whole,
    violations=_violations,
    broken=(
        Broken(_with_another_result, "is not what the text says"),
        Broken(_asking_the_model_again, "model calls for"),
    ),
    repairs_texts=True,
)

APPLICATIONS = (APPLICATION,)
