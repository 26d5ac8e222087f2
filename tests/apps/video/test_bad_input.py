"""Bad input of every kind over HTTP: each is refused by its field and rule, and the project is as it was before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import ApiUser, data_of, refusal
from tests.apps.video.projects_world import a_job_id, put_scene
from tests.apps.video.requests import get_project, give_scenes, new_project

DURABLE_TABLE = "millrace-DurableTable"
NO_SCENE = "scn_01jd8x2v5n7k3q9w4t6y8z0abc-0"
NO_IMAGE = "img_01jd8x2v5n7k3q9w4t6y8z0abc"
NO_MESSAGE = "01jd8x2v5n7k3q9w4t6y8z0abc-2"


@dataclass(frozen=True)
class Place:
    """A project with one scene and one image that was never uploaded, and things that belong to others."""

    stack: LocalStack
    user: ApiUser
    project_id: str
    scene_id: str
    image_id: str
    removed_id: str
    other_image_id: str

    def filled(self, value: Any) -> Any:
        """Return the value with the names of this place replaced by ids."""
        text = json.dumps(value)
        for name in ("scene_id", "image_id", "removed_id", "other_image_id"):
            text = text.replace(f"<{name}>", getattr(self, name))
        return json.loads(text)

    def stored(self) -> list[Any]:
        """Return all that is stored of the project, without its chat: a message whose job fails is part of that."""
        found = self.stack.client("dynamodb").query(
            TableName=DURABLE_TABLE,
            KeyConditionExpression="PK = :project",
            ExpressionAttributeValues={":project": {"S": f"PROJECT#{self.project_id}"}},
        )
        return [each for each in found["Items"] if not each["SK"]["S"].startswith("CHAT#")]


@pytest.fixture(scope="module")
def place(stack: LocalStack) -> Iterator[Place]:
    user, other = ApiUser(stack), ApiUser(stack)
    project_id, foreign_id = (new_project(each)["projectId"] for each in (user, other))
    removed_id = give_scenes(stack, project_id, put_scene(a_job_id(), name="Removed")).manifest.scenes[0].scene_id
    data_of(user.api.post(f"/projects/{project_id}/revert", json={"revision": 1}))
    give_scenes(stack, project_id, put_scene(a_job_id(), props={"title": "Hi"}))
    image_id, other_image_id = (
        data_of(each.api.post(f"/projects/{of}/images", json=image()), 201)["imageId"]
        for each, of in ((user, project_id), (other, foreign_id))
    )
    scene_id = get_project(user, project_id)["scenes"][0]["sceneId"]
    yield Place(stack, user, project_id, scene_id, image_id, removed_id, other_image_id)
    user.close()
    other.close()


def image(**fields: Any) -> dict[str, Any]:
    return {"name": "logo.png", "contentType": "image/png", "bytes": 5, **fields}


def message(**fields: Any) -> dict[str, Any]:
    return {"text": "Hello", **fields}


def tool(name: str, **arguments: Any) -> dict[str, Any]:
    return message(tool={"name": name, "arguments": arguments})


def patch(*ops: dict[str, Any]) -> dict[str, Any]:
    return tool("applyPatch", ops=list(ops))


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


NAN = float("nan")
TRIM = {"sceneId": "<scene_id>", "mode": "trim"}
TOO_DEEP = "at most 40 levels of objects and arrays; make it flatter"
ADD_DEEP = {"op": "add", "path": "/scenes/<scene_id>/props/x", "value": nested(300)}
FINITE = "finite numbers only"
HALF = "whole characters only"
CASES: list[tuple[str, str, Any, str, str]] = [
    # ---- messages: what it is, the path, the body, the field, the rule ---------------------------------------------
    ("an empty text", "/messages", message(text=""), "text", "at least 1 character"),
    ("a text of blanks", "/messages", message(text=" \n\u2003"), "text", "at least 1 character"),
    ("a text of 5,000 characters", "/messages", message(text="x" * 5_000), "text", "at most 4000 characters"),
    ("a text with half a character", "/messages", message(text="a\ud800b"), "text", "valid string"),
    ("an unknown image", "/messages", message(imageIds=[NO_IMAGE]), "imageIds.0", "image of this project"),
    ("an image of somebody else", "/messages", message(imageIds=["<other_image_id>"]), "imageIds.0", "of this project"),
    ("a pending image", "/messages", message(imageIds=["<image_id>"]), "imageIds.0", "upload its file and complete it"),
    ("nine images", "/messages", message(imageIds=[NO_IMAGE] * 9), "imageIds", "at most 8 items"),
    ("a removed scene", "/messages", message(sceneIds=["<removed_id>"]), "sceneIds.0", "the project has now"),
    ("eleven scenes", "/messages", message(sceneIds=["<scene_id>"] * 11), "sceneIds", "at most 10 items"),
    ("an unknown selection", "/messages", message(selectedSceneId=NO_SCENE), "selectedSceneId", "the project has now"),
    ("an unknown question", "/messages", message(answerTo=NO_MESSAGE), "answerTo", "20 newest messages"),
    ("an unknown model", "/messages", message(customModel="gpt-x"), "customModel", "must be one of"),
    ("an unknown agent", "/messages", message(agentId="agt_none"), "agentId", "one of your agents"),
    ("an unknown field", "/messages", message(__proto__=1), "__proto__", "not a known field"),
    # ---- tools -------------------------------------------------------------------------------------------------------
    ("an unknown tool", "/messages", tool("eraseDisk"), "tool.name", "must be 'addScene'"),
    ("a tool with another field", "/messages", tool("addScene", force=1), "tool.arguments.force", "not a known field"),
    ("0 seconds", "/messages", tool("changeDuration", **TRIM, seconds=0), "tool.arguments.seconds", "greater than 0"),
    ("-1 second", "/messages", tool("changeDuration", **TRIM, seconds=-1), "tool.arguments.seconds", "greater than 0"),
    ("NaN seconds", "/messages", tool("changeDuration", **TRIM, seconds=NAN), "tool.arguments", FINITE),
    ("1e9 seconds", "/messages", tool("changeDuration", **TRIM, seconds=1e9), "tool.arguments.seconds", "at most|less"),
    ("seconds as text", "/messages", tool("changeDuration", **TRIM, seconds="5"), "tool.arguments.seconds", "number"),
    ("nine scenes", "/messages", tool("planScenes", instruction="x", count=9), "tool.arguments.count", "equal to 8"),
    ("no operations", "/messages", patch(), "tool.arguments.ops", "at least 1 item"),
    ("51 operations", "/messages", patch(*[{"op": "remove", "path": "/x"}] * 51), "tool.arguments.ops", "at most 50"),
    ("a value of 300 levels", "/messages", patch(ADD_DEEP), "tool.arguments", TOO_DEEP),
    ("half a character", "/messages", tool("addScene", instruction="x", props={"a": "\ud800"}), "tool.arguments", HALF),
    # ---- projects ----------------------------------------------------------------------------------------------------
    ("a title of 201 characters", "", {"title": "x" * 201}, "title", "at most 200 characters"),
    ("a title of blanks", "", {"title": " \t"}, "title", "at least 1 character"),
    ("an unknown format", "", {"format": "wide"}, "format", "or an object with width, height and fps"),
    ("a width as text", "", {"format": {"width": "100", "height": 100, "fps": 30}}, "format.width", "valid integer"),
    ("61 frames a second", "", {"format": {"width": 64, "height": 64, "fps": 61}}, "format.fps", "equal to 60"),
    ("revision 0", "/revert", {"revision": 0}, "revision", "greater than or equal to 1"),
    ("a future revision", "/revert", {"revision": 9_999}, "revision", "a revision of the project, from 1 to"),
    ("revision true", "/revert", {"revision": True}, "revision", "valid integer"),
    ("a scene of no revision", "/revert", {"revision": 1, "sceneId": NO_SCENE}, "sceneId", "a scene of revision 1"),
    # ---- images ------------------------------------------------------------------------------------------------------
    ("an image without bytes", "/images", image(bytes=0), "bytes", "greater than or equal to 1"),
    ("an image of 9 MB", "/images", image(bytes=9_000_000), "bytes", "less than or equal to 8388608"),
    ("an SVG", "/images", image(contentType="image/svg+xml"), "contentType", "must be 'image/png'"),
    ("a name with a path", "/images", image(name="../x"), "name", "must"),
]


@pytest.mark.parametrize(("path", "body", "field", "rule"), [pytest.param(*each[1:], id=each[0]) for each in CASES])
def test_bad_input_is_refused_by_its_field_and_changes_nothing(
    place: Place, path: str, body: Any, field: str, rule: str
) -> None:
    before = place.stored()
    send = place.user.api.post if path else place.user.api.patch
    # Escaped, because half a character cannot be sent as UTF-8, and NaN not by httpx.
    content, headers = json.dumps(place.filled(body)), {"Content-Type": "application/json"}

    error = refusal(
        send(f"/projects/{place.project_id}{path}", content=content, headers=headers), 422, "VALIDATION_FAILED"
    )

    rules = {each["field"]: each["rule"] for each in error["details"]["fields"]}
    assert any(part in rules[field] for part in rule.split("|")), rules
    assert place.stored() == before


SCENE = "/scenes/<scene_id>"
BOMB = [
    {"op": "add", "path": f"{SCENE}/props/a", "value": "x" * 20_000},
    *({"op": "copy", "from": f"{SCENE}/props", "path": f"{SCENE}/props/b{number}"} for number in range(15)),
]
FAILING: list[tuple[str, Any, str]] = [
    ("a pointer that is none", patch({"op": "replace", "path": "title", "value": "x"}), "ops.0 (title)"),
    ("a copy bomb", patch(*BOMB), "larger than 256 kB after this operation"),
    (
        "a change of the code",
        patch({"op": "replace", "path": f"{SCENE}/tsxCode", "value": "x"}),
        "tsxCode is read-only",
    ),
    ("a failing test", patch({"op": "test", "path": "/title", "value": "x"}), "is not the one that it tests"),
    ("a prototype", patch({"op": "add", "path": "/__proto__/x", "value": 1}), "the document has title, format"),
    ("a length as text", patch({"op": "replace", "path": f"{SCENE}/durationInFrames", "value": "5"}), "valid integer"),
    ("a removed scene", tool("deleteScene", sceneIds=["<removed_id>"]), "has no scene"),
]


@pytest.mark.parametrize(("body", "reason"), [pytest.param(*each[1:], id=each[0]) for each in FAILING])
def test_a_call_that_cannot_be_done_fails_its_job_and_changes_nothing(place: Place, body: Any, reason: str) -> None:
    before = place.stored()
    path = f"/projects/{place.project_id}/messages"

    job = place.user.ended(data_of(place.user.api.post(path, json=place.filled(body)), 202)["jobId"])

    assert job["status"] == "failed"
    assert job["failure"]["code"] in {"CONFLICT", "SCENE_CHANGED"}
    assert reason in job["failure"]["message"]
    assert job["failure"]["stackTrace"] is None
    assert place.stored() == before


@pytest.mark.parametrize("tag", ['"rev-1"', '"rev-9999"'])
def test_a_change_of_another_revision_than_the_newest_is_refused(place: Place, tag: str) -> None:
    before, path = place.stored(), f"/projects/{place.project_id}"
    for response in (
        place.user.api.patch(path, json={"title": "x"}, headers={"If-Match": tag}),
        place.user.api.post(f"{path}/revert", json={"revision": 1}, headers={"If-Match": tag}),
    ):
        error = refusal(response, 412, "PRECONDITION_FAILED")
        assert "read it again, then repeat the request" in error["message"]
    assert place.stored() == before


STRANGER: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"title": "Mine"}),
    ("DELETE", "", None),
    ("GET", "/scenes/<scene_id>", None),
    ("POST", "/messages", message()),
    ("GET", "/messages", None),
    ("GET", "/revisions", None),
    ("POST", "/revert", {"revision": 1}),
    ("POST", "/images", image()),
    ("POST", "/images/<image_id>/complete", None),
    ("GET", "/images/<image_id>", None),
    ("GET", "/images", None),
]


@pytest.mark.parametrize(("method", "path", "body"), STRANGER)
def test_no_operation_shows_or_changes_a_project_of_somebody_else(
    place: Place, user: ApiUser, method: str, path: str, body: Any
) -> None:
    before = place.stored()
    refusal(user.api.request(method, f"/projects/{place.project_id}{place.filled(path)}", json=body), 403, "FORBIDDEN")
    assert place.stored() == before


def test_nobody_elses_preferences_are_shown_or_changed(place: Place, user: ApiUser) -> None:
    query = {"projectId": place.project_id}
    for response in (
        user.api.get("/preferences/video", params=query),
        user.api.patch("/preferences/video", params=query, json={"facts": {"a": "b"}}),
    ):
        error = refusal(response, 422, "VALIDATION_FAILED")
        assert error["details"]["fields"] == [{"field": "projectId", "rule": "must be the id of one of your projects"}]


@pytest.mark.parametrize(
    "bad", ["%252e%252e", "prj_%00", "%F0%9F%92%A9", "a" * 65, "a" * 5_000, "__proto__", "prj_1%23IMG"]
)
def test_an_id_that_is_none_is_not_found_or_refused(place: Place, bad: str) -> None:
    own = f"/projects/{place.project_id}"
    for path in (f"/projects/{bad}", f"{own}/scenes/{bad}", f"{own}/images/{bad}"):
        assert place.user.api.get(path).status_code in {404, 422}, path
