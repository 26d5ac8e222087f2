"""For each event of video chat: the data it needs and the expected response."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from tests.contract.answers import (
    JOB,
    Answers,
    Invoker,
    Place,
    after,
    ask,
    data,
    done,
    has,
    lists,
    names,
    nothing,
    payload,
    refuses,
    shows,
)
from tests.contract.build_output import event

RENDER_STAGES = ("await_turn", "plan_render", "render_chunk", "join_chunks")
STAGES = ("decide_tool", "brief_scenes", "make_scenes", "save_scenes")
ATTEMPTS = ("first_attempt", "retry")
PROJECT = "prj_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The project that the events name."""
RENDER = "rnd_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The render that the events name."""
IMAGE = "img_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The image that the events name."""


def a_project(invoker: Invoker) -> Place:
    """Create an empty project."""
    request = event("create_project.valid")
    request["headers"]["idempotency-key"] = str(uuid.uuid4())
    return {PROJECT: data(invoker.invoke("create_project", request), 201)["projectId"]}


def a_renamed_project(invoker: Invoker) -> Place:
    place = a_project(invoker)
    data(ask(invoker, "update_project.valid", place))
    return place


def an_image(invoker: Invoker) -> Place:
    """Create a project and announce an image."""
    place = a_project(invoker)
    return {**place, IMAGE: data(ask(invoker, "create_image.valid", place), 201)["imageId"]}


def a_message(invoker: Invoker) -> Place:
    """Create a project and the job that answers a message, which changes the project without a model."""
    place = a_project(invoker)
    request = payload("send_message.valid", place)
    request["headers"]["idempotency-key"] = str(uuid.uuid4())
    return {**place, JOB: data(invoker.invoke("send_message", request), 202)["jobId"]}


def a_message_after(*stages: str) -> Callable[[Invoker], Place]:
    """Create a project and a message whose job has finished these stages."""
    return lambda invoker: after(invoker, a_message(invoker), stages)


def has_the_colour(answer: Any, _: Place) -> None:
    assert [each["value"] for each in data(answer)["facts"]] == ["#1d4ed8"]


def says_what_was_swept(answer: Any, _: Place) -> None:
    assert answer.keys() == {"purged", "finished"}, answer


def stops(answer: Any, _: Place) -> None:
    """Check that the attempt stops, because its job is gone: a project with scenes needs a compiler."""
    assert answer["errorType"] == "JobEnded", answer


ANSWERS: Answers = {
    "create_project.valid": (nothing, names("projectId", 201)),
    "list_projects.valid": (a_project, lists("projects", "projectId", PROJECT)),
    "get_project.valid": (a_project, shows("projectId", PROJECT)),
    "update_project.valid": (a_project, has("revision", 2)),
    "delete_project.valid": (a_project, shows("projectId", PROJECT)),
    "get_scene.valid": (a_project, refuses(404, "NOT_FOUND")),
    "list_project_messages.valid": (a_project, has("messages", [])),
    "list_revisions.valid": (a_renamed_project, has("cursor", None)),
    "revert_project.valid": (a_renamed_project, has("revision", 3)),
    "get_preferences.valid": (nothing, has("projectId", None)),
    "update_preferences.valid": (nothing, has_the_colour),
    "create_image.valid": (a_project, names("upload", 201)),
    "complete_image.valid": (an_image, refuses(409, "CONFLICT")),  # nothing was uploaded
    "get_image.valid": (an_image, shows("imageId", IMAGE)),
    "list_images.valid": (an_image, lists("images", "imageId", IMAGE)),
    "create_render.valid": (a_project, refuses(422, "VALIDATION_FAILED")),  # it has no scenes
    "get_render.valid": (a_project, refuses(404, "NOT_FOUND")),
    "list_renders.valid": (a_project, has("renders", [])),
    **{f"{stage}.{attempt}": (nothing, stops) for stage in RENDER_STAGES for attempt in ATTEMPTS},
    "send_message.valid": (a_project, names("messageId", 202)),
    "sweep_projects.scheduled": (nothing, says_what_was_swept),
    **{f"decide_tool.{attempt}": (a_message, done("decide_tool")) for attempt in ATTEMPTS},
    **{f"brief_scenes.{attempt}": (a_message_after("decide_tool"), done("brief_scenes")) for attempt in ATTEMPTS},
    **{f"make_scenes.{attempt}": (a_message_after(*STAGES[:2]), done("make_scenes")) for attempt in ATTEMPTS},
    **{f"save_scenes.{attempt}": (a_message_after(*STAGES[:3]), done("save_scenes")) for attempt in ATTEMPTS},
}
