"""A picture goes from the page to the model and into a scene, and an edit by a picture is shown before and after."""

from __future__ import annotations

import pytest
from playwright.sync_api import FrameLocator, expect

from tests.api_user import ApiUser
from tests.apps.video.compiler_lane import require_compiler
from tests.apps.video.requests import get_project, new_project
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.browser.test_video_page import VideoPage
from tests.fakes.png import png_of

require_compiler()

RED, GREEN = "rgb(220, 38, 38)", "rgb(10, 160, 60)"


@pytest.fixture
def video(console: Console, user: ApiUser) -> VideoPage:
    return VideoPage(console, new_project(user)["projectId"])


def attach(video: VideoPage, name: str, red: int, green: int, blue: int) -> None:
    """Add a picture of one colour to the next message."""
    content = png_of(red, green, blue, width=8, height=8)
    video.page.locator("#pictures").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    attached = video.page.get_by_role("list", name="Pictures of the next message").get_by_role("img")
    expect(attached).to_have_count(1)


def has_colour(stage: FrameLocator, colour: str) -> None:
    """Wait until something that the stage draws has this background."""
    stage.locator("html").evaluate(
        """(html, colour) => new Promise((resolve) => {
             const all = () => [...document.querySelectorAll("#stage *")];
             const look = () => all().some((each) => getComputedStyle(each).backgroundColor === colour) && resolve();
             new MutationObserver(look).observe(html, { subtree: true, childList: true, attributes: true });
             look();
           })""",
        colour,
    )


def test_a_picture_reaches_the_model_and_is_shown_by_its_scene(video: VideoPage, user: ApiUser) -> None:
    attach(video, "logo.png", 220, 38, 38)
    video.say("add a scene with this logo")
    expect(video.scenes).to_have_count(1)
    expect(video.revisions).to_have_count(2)
    video.page.get_by_label("Time", exact=True).fill("60")  # in its first frame the picture is too small to be seen
    shown = video.stage.locator("#stage img")
    expect(shown).to_be_visible()
    assert str(shown.get_attribute("src")).startswith("blob:")
    (scene,) = get_project(user, video.id, code="true")["scenes"]
    assert scene["code"]["props"]["accent"] == "#dc2626"  # only a model that got the picture knows its colour
    expect(video.messages.first.get_by_role("img")).to_have_count(1)
    audit(video.console.tab, "video-with-picture")


def test_an_edit_by_a_picture_is_shown_before_and_after(video: VideoPage, user: ApiUser) -> None:
    video.say("add a title scene in red")
    expect(video.revisions).to_have_count(2)
    video.page.get_by_label("Time", exact=True).fill("60")
    has_colour(video.stage, RED)
    attach(video, "moss.png", 10, 160, 60)
    video.say("change scene 1 to the colour of this picture")
    expect(video.revisions).to_have_count(3)
    has_colour(video.stage, GREEN)
    (scene,) = get_project(user, video.id, code="true")["scenes"]
    assert scene["code"]["props"]["accent"] == "#0aa03c"
    video.page.get_by_role("button", name="Before and after revision 3").click()
    comparison = video.page.get_by_role("region", name="Before and after revision 3")
    for index, colour in enumerate([RED, GREEN]):
        has_colour(comparison.frame_locator("iframe").nth(index), colour)
    audit(video.console.tab, "video-before-and-after")
