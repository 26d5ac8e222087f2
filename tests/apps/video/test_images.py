"""Images over HTTP: announced, sent to the bucket with a form, checked, read; and what is refused on the way."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.api_user import ApiUser, data_of, refusal
from tests.apps.video.requests import new_project
from tests.fakes.pictures import gif_of
from tests.fakes.png import png_of
from tests.forms import post_form
from tests.patience import PATIENCE

PNG = png_of(200, 40, 90, width=6, height=3)


def announce(user: ApiUser, project_id: str, content: bytes = PNG, **fields: Any) -> dict[str, Any]:
    body = {"name": "logo.png", "contentType": "image/png", "bytes": len(content), **fields}
    announced: dict[str, Any] = data_of(user.api.post(f"/projects/{project_id}/images", json=body), 201)
    return announced


def send_file(announced: dict[str, Any], content: bytes = PNG) -> None:
    upload = announced["upload"]
    assert post_form(upload["url"], upload["fields"], content) == (204, "")


def complete(user: ApiUser, project_id: str, image_id: str) -> Any:
    return user.api.post(f"/projects/{project_id}/images/{image_id}/complete")


@pytest.fixture
def project_id(user: ApiUser) -> str:
    return str(new_project(user)["projectId"])


def test_an_image_is_uploaded_completed_and_read(user: ApiUser, project_id: str) -> None:
    announced = announce(user, project_id, sha256=hashlib.sha256(PNG).hexdigest().upper())
    assert (announced["status"], announced["contentUrl"]) == ("pending", None)
    send_file(announced)
    path = f"/projects/{project_id}/images"

    ready = data_of(complete(user, project_id, announced["imageId"]))
    again = data_of(complete(user, project_id, announced["imageId"]))

    expected = {"status": "ready", "contentType": "image/png", "width": 6, "height": 3, "bytes": len(PNG)}
    assert {name: ready[name] for name in expected} == expected
    for image in (
        ready,
        again,
        data_of(user.api.get(f"{path}/{ready['imageId']}")),
        *data_of(user.api.get(path))["images"],
    ):
        assert image["imageId"] == announced["imageId"]
        with urllib.request.urlopen(image["contentUrl"], timeout=PATIENCE) as response:
            assert response.read() == PNG
            assert response.headers["Content-Type"] == "image/png"


def test_images_are_listed_in_pages(user: ApiUser, project_id: str) -> None:
    made = [announce(user, project_id)["imageId"] for _ in range(3)]
    path = f"/projects/{project_id}/images"
    first = data_of(user.api.get(path, params={"limit": 2}))
    rest = data_of(user.api.get(path, params={"limit": 2, "cursor": first["cursor"]}))
    found = [each["imageId"] for each in (*first["images"], *rest["images"])]
    assert sorted(found) == sorted(made)
    assert found == sorted(found, reverse=True)
    assert rest["cursor"] is None
    refusal(user.api.get(path, params={"cursor": "img_x"}), 422, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"bytes": 0}, "bytes", id="no bytes"),
        pytest.param({"bytes": 9 * 1024 * 1024}, "bytes", id="9 MiB"),
        pytest.param({"bytes": "5"}, "bytes", id="a text as number"),
        pytest.param({"contentType": "image/svg+xml"}, "contentType", id="svg"),
        pytest.param({"contentType": "image/heic"}, "contentType", id="heic"),
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"name": "../x.png"}, "name", id="a path"),
        pytest.param({"name": "x" * 201}, "name", id="a long name"),
        pytest.param({"sha256": "abc"}, "sha256", id="a short digest"),
        pytest.param({"more": 1}, "more", id="an unknown field"),
    ],
)
def test_an_announcement_that_breaks_a_rule_is_told_which(
    user: ApiUser, project_id: str, fields: dict[str, Any], field: str
) -> None:
    body = {"name": "logo.png", "contentType": "image/png", "bytes": 5, **fields}
    error = refusal(user.api.post(f"/projects/{project_id}/images", json=body), 422, "VALIDATION_FAILED")
    assert [each["field"] for each in error["details"]["fields"]] == [field]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG", id="svg"),
        pytest.param(gif_of(3, 2), "declared", id="another type"),
        pytest.param(PNG[:-12], "ends too early", id="truncated"),
        pytest.param(PNG + b"<script>1</script>", "behind its end", id="polyglot"),
    ],
)
def test_a_file_that_is_no_usable_image_is_refused_by_its_rule(
    user: ApiUser, project_id: str, content: bytes, rule: str
) -> None:
    announced = announce(user, project_id, content)
    send_file(announced, content)
    for _ in range(2):
        error = refusal(complete(user, project_id, announced["imageId"]), 422, "IMAGE_REFUSED")
        assert rule in error["details"]["fields"][0]["rule"]
    shown = data_of(user.api.get(f"/projects/{project_id}/images/{announced['imageId']}"))
    assert (shown["status"], shown["contentUrl"]) == ("refused", None)
    assert rule in shown["refusal"]
    message = {"text": "Use it", "imageIds": [announced["imageId"]]}
    refusal(user.api.post(f"/projects/{project_id}/messages", json=message), 422, "VALIDATION_FAILED")


def test_an_image_without_an_upload_cannot_be_completed_or_used(user: ApiUser, project_id: str) -> None:
    announced = announce(user, project_id)
    error = refusal(complete(user, project_id, announced["imageId"]), 409, "CONFLICT")
    assert "nothing was uploaded yet" in error["message"]
    message = {"text": "Use it", "imageIds": [announced["imageId"]]}
    error = refusal(user.api.post(f"/projects/{project_id}/messages", json=message), 422, "VALIDATION_FAILED")
    assert error["details"]["fields"][0]["field"].endswith("imageIds.0")


def test_images_of_other_users_and_projects_are_not_found(
    user: ApiUser, new_user: Callable[[], ApiUser], project_id: str
) -> None:
    other_user = new_user()
    image_id = announce(user, project_id)["imageId"]
    elsewhere = new_project(user)["projectId"]
    refusal(other_user.api.get(f"/projects/{project_id}/images/{image_id}"), 403, "FORBIDDEN")
    refusal(complete(other_user, project_id, image_id), 403, "FORBIDDEN")
    refusal(user.api.get(f"/projects/{elsewhere}/images/{image_id}"), 404, "NOT_FOUND")
    refusal(user.api.get(f"/projects/{project_id}/images/nothing"), 404, "NOT_FOUND")
    refusal(user.api.get(f"/projects/prj_x/images/{image_id}"), 404, "NOT_FOUND")
