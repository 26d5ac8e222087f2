"""Requests about renders that are refused, over HTTP. Renders that run need Chromium: tests/browser/test_renders.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_user import ApiUser, broken_rules, data_of, refusal
from tests.apps.video.projects_world import a_job_id, put_scene
from tests.apps.video.requests import give_render, give_scenes, new_project


@pytest.fixture
def project_id(user: ApiUser) -> str:
    created = str(new_project(user)["projectId"])
    give_scenes(user.stack, created, put_scene(a_job_id()))
    return created


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"revision": 9}, "revision"),
        ({"revision": 1}, "revision"),
        ({"revision": 0}, "revision"),
        ({"revision": "2"}, "revision"),
        ({"quality": "best"}, "quality"),
        ({"fps": 25}, "fps"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(
    user: ApiUser, project_id: str, body: dict[str, Any], field: str
) -> None:
    rules = broken_rules(user.api.post(f"/projects/{project_id}/renders", json=body))
    assert rules.keys() == {field}


def test_a_job_of_the_pipeline_needs_a_project(user: ApiUser) -> None:
    rules = broken_rules(user.api.post("/jobs", json={"pipeline": "render", "input": {}}))
    assert rules["links.projectId"].startswith("must be the id of one of your projects")


def test_an_unknown_render_and_another_users_project(user: ApiUser, project_id: str) -> None:
    path = f"/projects/{project_id}/renders"
    refusal(user.api.get(f"{path}/rnd_{'0' * 26}"), 404, "NOT_FOUND")
    stranger = ApiUser(user.stack)
    refusal(stranger.api.get(path), 403, "FORBIDDEN")
    refusal(stranger.api.post(path, json={}), 403, "FORBIDDEN")
    stranger.close()


def test_a_completed_render_is_read_and_listed_with_the_url_of_its_file(user: ApiUser, project_id: str) -> None:
    render = give_render(user.stack, project_id)
    path = f"/projects/{project_id}/renders"
    shown = data_of(user.api.get(f"{path}/{render.id}"))
    expected = {"renderId": render.id, "status": "completed", "progress": 100, "position": 0, "bytes": 9, "seconds": 3}
    assert {name: shown[name] for name in expected} == expected
    assert f"renders/{project_id}/{render.id}.mp4" in shown["downloadUrl"]
    listed = data_of(user.api.get(path))
    assert ([each["renderId"] for each in listed["renders"]], listed["cursor"]) == ([render.id], None)
