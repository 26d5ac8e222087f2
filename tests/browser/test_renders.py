"""Renders with the real renderer, over HTTP and on the page of a video: followed, queued, cancelled, downloaded."""

from __future__ import annotations

import re
import urllib.request
import uuid
from typing import Any

import pytest
from playwright.sync_api import expect

from shared.apps.video.models import BuiltChange
from shared.apps.video.rendering import programs
from tests.api_user import ApiUser, data_of
from tests.apps.video.requests import give_scenes, new_project
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.test_video_page import VideoPage, a_scene
from tests.contract.emulator import executions_waiting
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(bool(programs.missing()), reason="renders need Chromium and PyAV: make render")


def scenes(*names: str, body: str = "") -> list[BuiltChange]:
    return [a_scene(name, body=body) for name in names]


def project_of(user: ApiUser, *changes: BuiltChange) -> str:
    project_id = str(new_project(user, format={"width": 320, "height": 180, "fps": 30})["projectId"])
    give_scenes(user.stack, project_id, *changes)
    return project_id


def create(user: ApiUser, project_id: str, **body: Any) -> dict[str, Any]:
    created: dict[str, Any] = data_of(user.api.post(f"/projects/{project_id}/renders", json=body), 202)
    return created


def get(user: ApiUser, render: dict[str, Any]) -> dict[str, Any]:
    return data_of(user.api.get(f"/projects/{render['projectId']}/renders/{render['renderId']}"))


def test_a_project_is_rendered_followed_and_downloaded(user: ApiUser) -> None:
    render = create(user, project_of(user, *scenes("Title", "Features", "Outro")))
    assert (render["revision"], render["frames"], render["seconds"], render["position"]) == (2, 90, 3, 0)

    assert user.ended(render["jobId"])["status"] == "completed"

    told = [each.data for each in user.watch(render["jobId"]) if each.type == "chunkRendered"]
    assert sorted((each["chunk"], each["of"], each["frames"]) for each in told) == [(1, 2, 60), (2, 2, 30)]
    done = get(user, render)
    expected = {"status": "completed", "progress": 100, "frames": 90, "width": 320, "height": 180, "failure": None}
    assert {name: done[name] for name in expected} == expected
    with urllib.request.urlopen(done["downloadUrl"], timeout=PATIENCE) as response:
        content = response.read()
    assert (len(content), content[4:8]) == (done["bytes"], b"ftyp")


def test_a_scene_that_throws_at_one_frame_fails_with_its_name_and_the_frame(user: ApiUser) -> None:
    broken = a_scene("Broken", body='if (frame === 21) throw new Error("no more");')
    render = create(user, project_of(user, a_scene("Whole"), broken), quality="draft")
    failure = user.ended(render["jobId"])["failure"]
    assert (failure["code"], failure["stage"], failure["retryable"]) == ("SCENE_BROKEN", "render_chunk", False)
    assert "Broken" in failure["message"]
    assert re.search(r"\b21\b", failure["message"])
    assert get(user, render)["failure"]["code"] == "SCENE_BROKEN"


def occupied(user: ApiUser, project_id: str) -> list[dict[str, Any]]:
    """Create the two renders that have a turn, and whose executions only wait."""
    with executions_waiting(user.stack):
        return [create(user, project_id, quality="draft") for _ in range(2)]


def test_a_third_render_is_queued_and_runs_when_another_one_is_cancelled(user: ApiUser) -> None:
    project_id = project_of(user, a_scene("One"))
    first, _ = occupied(user, project_id)
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for _ in range(2):
        third = data_of(user.api.post(f"/projects/{project_id}/renders", json={}, headers=headers), 202)
    assert (third["status"], third["position"]) == ("queued", 1)
    assert get(user, third)["status"] == "queued"
    with user.stream(third["jobId"]) as source:
        queued = next(sent for sent in source.iter_sse() if sent.event == "renderQueued")
    assert queued.json()["position"] == 1

    with user.stack.holding("PUT", executed=True, function="RenderChunkFunction"):  # or it may be completed at once
        assert user.cancel(first["jobId"]).status_code == 200
        assert (get(user, first)["status"], get(user, third)["status"]) == ("cancelled", "rendering")
    assert user.ended(third["jobId"])["status"] == "completed"


def test_the_page_renders_a_video_and_offers_its_file(console: Console, user: ApiUser) -> None:
    video = VideoPage(console, project_of(user, *scenes("Opening", "Closing")))
    panel = video.page.get_by_role("region", name="File")
    panel.get_by_label("Quality").select_option("draft")
    panel.get_by_role("button", name="Render").click()
    entry = panel.get_by_role("listitem")
    expect(entry).to_have_count(1)
    expect(entry.get_by_role("link", name="Download")).to_be_visible()
    expect(entry.get_by_text("160 x 90")).to_be_visible()
    audit(console.tab, "video-render")


def test_the_page_shows_a_queued_render_which_can_be_cancelled_and_resumed(console: Console, user: ApiUser) -> None:
    project_id = project_of(user, a_scene("One"))
    first, _ = occupied(user, project_id)
    create(user, project_id, quality="draft")
    video = VideoPage(console, project_id)
    newest = video.page.get_by_role("region", name="File").get_by_role("listitem").first
    expect(newest.get_by_text("Queued: position 1.")).to_be_visible()
    newest.get_by_role("button", name="Cancel").click()
    expect(newest.get_by_text("Cancelled.")).to_be_visible()
    assert user.cancel(first["jobId"]).status_code == 200
    newest.get_by_role("button", name="Resume").click()
    expect(newest.get_by_role("link", name="Download")).to_be_visible()
