"""A scene is shown as soon as its job has built it, before it is saved; saving it changes nothing that is seen."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.api_user import ApiUser
from tests.apps.video.compiler_lane import require_compiler
from tests.apps.video.requests import get_project, new_project
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.test_video_page import VideoPage

require_compiler()


def test_a_built_scene_plays_before_it_is_saved_and_stays_when_it_is(console: Console, user: ApiUser) -> None:
    video = VideoPage(console, new_project(user)["projectId"])
    expect(video.page.get_by_text("No scenes yet.")).to_be_visible()
    with user.stack.holding(executed=False, function="SaveScenesFunction"):
        video.say("Add a scene with our revenue as bars")
        shown = video.stage.locator("#stage > *").first
        expect(shown).to_be_visible()
        expect(video.scenes).to_have_count(1)
        expect(video.scenes.first).to_contain_text("draft")
        assert get_project(user, video.id)["revision"] == 1
        # On a busy machine the audit takes longer than the held attempt may, and the next one draws the scene again.
        audit(console.tab, "video-draft")
        shown.evaluate("drawn => { drawn.dataset.same = 'yes'; }")
    expect(video.revisions).to_have_count(2)
    expect(video.scenes.first).not_to_contain_text("draft")
    expect(shown).to_be_visible()
    expect(video.stage.locator("#stage > *").first).to_have_attribute("data-same", "yes")
