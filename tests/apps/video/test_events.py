"""The functions of video chat on the events of `events/`: the first creates the project that the others work on."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.apps.video import bootstrap
from tests.apps.video.artefacts import IMAGE, PROJECT, RENDER, RENDER_STAGES, STAGES
from tests.apps.video.fake_renderer import FakeRenderer
from tests.apps.video.projects_world import a_job_id, put_scene, write_of
from tests.fixtures.functions import JOB_ID, OWNER, Handle, envelope, load_event

Send = Callable[..., Any]
ON_A_PROJECT = (
    "get_project",
    "update_project",
    "delete_project",
    "get_scene",
    "send_message",
    "list_project_messages",
    "list_revisions",
    "revert_project",
    "create_render",
    "get_render",
    "list_renders",
)
OPERATIONS = ("create_project", "list_projects", *ON_A_PROJECT, "get_preferences", "update_preferences")


@pytest.fixture
def project(handle: Handle) -> dict[str, Any]:
    """Create a project, and return the data of the response."""
    created: dict[str, Any] = envelope(handle("create_project.valid"), 201)["data"]
    return created


@pytest.fixture
def send(handle: Handle, project: dict[str, Any]) -> Send:
    """Return a function that sends an event about the project, and about a job of it, and returns the response."""

    def ask(name: str, job_id: str = JOB_ID, image_id: str = IMAGE, render_id: str = RENDER) -> Any:
        text = json.dumps(load_event(name)).replace(PROJECT, project["projectId"]).replace(JOB_ID, job_id)
        return handle(name, **json.loads(text.replace(IMAGE, image_id).replace(RENDER, render_id)))

    return ask


def data(response: Any, status: int = 200) -> dict[str, Any]:
    found: dict[str, Any] = envelope(response, status)["data"]
    return found


def test_a_project_is_listed_read_changed_reverted_deleted_and_swept(
    handle: Handle, send: Send, project: dict[str, Any]
) -> None:
    assert [each["projectId"] for each in data(send("list_projects.valid"))["projects"]] == [project["projectId"]]
    assert data(send("get_project.valid")) == project
    assert data(send("update_project.valid"))["title"] == "Tidewater launch, second cut"
    assert data(send("revert_project.valid"))["title"] == project["title"]
    assert [each["revision"] for each in data(send("list_revisions.valid"))["revisions"]] == [3, 2, 1]
    assert data(send("list_project_messages.valid")) == {"messages": [], "cursor": None}
    assert envelope(send("get_scene.valid"), 404)["error"]["code"] == "NOT_FOUND"
    assert data(send("delete_project.valid")) == {"projectId": project["projectId"]}
    assert envelope(send("delete_project.valid"), 404)["error"]["code"] == "NOT_FOUND"
    assert handle("sweep_projects.scheduled") == {"purged": 0, "finished": True}  # a project is purged after an hour


FIRST_ATTEMPTS = (
    "decide_tool.first_attempt",
    "brief_scenes.first_attempt",
    "make_scenes.first_attempt",
    "save_scenes.first_attempt",
)
RETRIES = ("decide_tool.retry", "brief_scenes.retry", "make_scenes.retry", "save_scenes.retry")
RENDER_FIRST_ATTEMPTS = (
    "await_turn.first_attempt",
    "plan_render.first_attempt",
    "render_chunk.first_attempt",
    "join_chunks.first_attempt",
)
RENDER_RETRIES = ("await_turn.retry", "plan_render.retry", "render_chunk.retry", "join_chunks.retry")


@pytest.mark.parametrize("repeated", [None, *range(len(STAGES))])
def test_a_message_is_answered_stage_by_stage(send: Send, repeated: int | None) -> None:
    job_id: str = data(send("send_message.valid"), 202)["jobId"]
    for at, stage in enumerate(STAGES):
        attempt = RETRIES[at] if at == repeated else FIRST_ATTEMPTS[at]
        assert send(attempt, job_id) == {"jobId": job_id, "stage": stage, "status": "done"}
    assert send("complete_job.first_attempt", job_id)["status"] == "done"
    assert data(send("get_project.valid"))["title"] == "Tidewater"
    answer, asked = data(send("list_project_messages.valid"))["messages"]
    assert (asked["status"], answer["revision"]) == ("completed", 2)


def test_an_image_is_announced_listed_read_and_not_complete_without_its_file(send: Send) -> None:
    image: dict[str, Any] = data(send("create_image.valid"), 201)
    ask = functools.partial(send, image_id=image["imageId"])
    assert [each["imageId"] for each in data(send("list_images.valid"))["images"]] == [image["imageId"]]
    assert data(ask("get_image.valid"))["status"] == "pending"
    assert envelope(ask("complete_image.valid"), 409)["error"]["code"] == "CONFLICT"


@pytest.mark.parametrize("repeated", [None, *range(len(RENDER_STAGES))])
def test_a_render_is_made_stage_by_stage(
    send: Send, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch, repeated: int | None
) -> None:
    fake = FakeRenderer()
    monkeypatch.setattr(bootstrap, "chunk_renderer", lambda: fake)
    monkeypatch.setattr(bootstrap, "chunk_joiner", lambda: fake)
    stored = bootstrap.project_store().get(project["projectId"])
    assert stored is not None
    bootstrap.project_store().save(write_of(stored, put_scene(a_job_id(), duration_in_frames=60)))
    render = data(send("create_render.valid"), 202)
    job_id: str = render["jobId"]
    for at, stage in enumerate(RENDER_STAGES):
        response = send(RENDER_RETRIES[at] if at == repeated else RENDER_FIRST_ATTEMPTS[at], job_id)
        said: dict[str, Any] = {"plan_render": {"parts": ("chunk-000",)}, "render_chunk": {"part": "chunk-000"}}
        assert response == {"jobId": job_id, "stage": stage, "status": "done", **said.get(stage, {})}
    assert send("complete_job.first_attempt", job_id)["status"] == "done"
    done = data(send("get_render.valid", render_id=render["renderId"]))
    assert (done["status"], done["frames"]) == ("completed", 60)
    assert [each["renderId"] for each in data(send("list_renders.valid"))["renders"]] == [render["renderId"]]


def test_preferences_are_set_and_read(send: Send) -> None:
    stored = data(send("update_preferences.valid"))
    assert data(send("get_preferences.valid")) == stored
    assert stored["facts"][0]["value"] == "#1d4ed8"


@pytest.mark.parametrize("operation", ON_A_PROJECT)
def test_an_unknown_project_is_not_found(handle: Handle, operation: str) -> None:
    assert envelope(handle(f"{operation}.valid"), 404)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_without_the_authorizers_claims_is_unauthenticated(handle: Handle, operation: str) -> None:
    event = load_event(f"{operation}.valid")
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == OWNER
    del event["requestContext"]["authorizer"]
    response = handle(f"{operation}.valid", requestContext=event["requestContext"])
    assert envelope(response, 401)["error"]["code"] == "UNAUTHENTICATED"
