"""A picture goes from the page to the model and into a scene, and an edit by a picture is shown before and after."""

from __future__ import annotations

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


def test_an_edit_by_a_picture_is_compared_and_a_scene_shows_a_picture(console: Console, user: ApiUser) -> None:
    video = VideoPage(console, new_project(user)["projectId"])
    video.say("add a title scene in red")
    expect(video.revisions).to_have_count(2)
    time = video.page.get_by_label("Time", exact=True)
    time.fill("60")
    has_colour(video.stage, RED)
    attach(video, "moss.png", 10, 160, 60)
    video.say("change scene 1 to the colour of this picture")
    expect(video.revisions).to_have_count(3)
    has_colour(video.stage, GREEN)
    (scene,) = get_project(user, video.id, code="true")["scenes"]
    assert scene["code"]["props"]["accent"] == "#0aa03c"  # only a model that got the picture knows its colour
    expect(video.messages.nth(2).get_by_role("img")).to_have_count(1)
    video.page.get_by_role("button", name="Before and after revision 3").click()
    comparison = video.page.get_by_role("region", name="Before and after revision 3")
    for index, colour in enumerate([RED, GREEN]):
        has_colour(comparison.frame_locator("iframe").nth(index), colour)
    audit(console.tab, "video-before-and-after")
    comparison.get_by_role("button", name="Close").click()

    attach(video, "logo.png", 220, 38, 38)
    video.say("add a scene with this logo")
    expect(video.scenes).to_have_count(2)
    expect(video.revisions).to_have_count(4)
    time.fill(str(scene["durationInFrames"] + 60))  # in its first frame the picture is too small to be seen
    shown = video.stage.locator("#stage img")
    expect(shown).to_be_visible()
    assert str(shown.get_attribute("src")).startswith("blob:")
    assert get_project(user, video.id, code="true")["scenes"][1]["code"]["props"]["accent"] == "#dc2626"
    audit(console.tab, "video-with-picture")
