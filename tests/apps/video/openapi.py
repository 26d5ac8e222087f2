"""What requests to the operations of video chat need that no schema of the OpenAPI document can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api_user import ApiUser, data_of
from tests.apps.video.requests import give_render, give_scenes, new_project


def a_scene(user: ApiUser) -> str:
    """Give the user's newest project a scene and return its id."""
    newest = data_of(user.api.get("/projects", params={"limit": 1}))["projects"][0]
    return give_scenes(user.stack, newest["projectId"]).manifest.scenes[0].scene_id


def an_image(user: ApiUser) -> str:
    """Announce an image of the user's newest project and return its id."""
    newest = data_of(user.api.get("/projects", params={"limit": 1}))["projects"][0]
    body = {"name": "logo.png", "contentType": "image/png", "bytes": 70}
    return str(data_of(user.api.post(f"/projects/{newest['projectId']}/images", json=body), 201)["imageId"])


def a_render(user: ApiUser) -> str:
    """Give the user's newest project a render and return its id."""
    newest = data_of(user.api.get("/projects", params={"limit": 1}))["projects"][0]
    return give_render(user.stack, newest["projectId"]).id


EXISTING: dict[str, Callable[[ApiUser], str]] = {
    "projectId": lambda user: str(new_project(user)["projectId"]),
    "sceneId": a_scene,
    "imageId": an_image,
    "renderId": a_render,
}
"""Parameter of a path → make what it names. The scene is one of the project that was made before."""


def follow_rules(case: Any) -> None:
    """Let requests name only what a project has."""
    if not case.path.startswith(("/projects", "/preferences")):
        return
    for query in ("projectId", "version"):
        (case.query or {}).pop(query, None)
    if case.query and "revision" in case.query:
        case.query["revision"] = 1
    if case.headers and "If-Match" in case.headers:
        case.headers["If-Match"] = '"rev-1"'
    if isinstance(case.body, dict):
        for name in ("sceneId", "sceneIds", "selectedSceneId", "imageIds", "answerTo", "agentId", "customModel"):
            case.body.pop(name, None)
        if "revision" in case.body or case.path.endswith("/renders"):
            case.body["revision"] = 1  # which has no scenes, so that nothing is rendered
