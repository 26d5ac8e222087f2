"""The page of a video: its preview, storyboard, chat, history, and what happens when a scene breaks or hangs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import FrameLocator, Locator, expect

from shared.apps.video.changes import PutScene
from shared.apps.video.ids import scene_id
from shared.apps.video.models import BuiltChange
from shared.apps.video.scene import Build
from tests.api_user import ApiUser
from tests.apps.video.projects_world import a_draft, a_job_id
from tests.apps.video.requests import get_project, give_messages, give_scenes, new_project
from tests.browser.audit import audit
from tests.browser.console import Console
from tests.fakes.png import png_of

SCENE = """
import {{ AbsoluteFill, useCurrentFrame }} from "@millrace/scene";
import {{ jsx, jsxs }} from "preact/jsx-runtime";
export default function Scene({{ title }}) {{
  const frame = useCurrentFrame();
  {body}
  const shown = [jsx("h1", {{ children: title }}), jsx("p", {{ children: `frame ${{frame}}` }})];
  return jsxs(AbsoluteFill, {{ children: shown }});
}}
"""


def a_scene(
    name: str, *, body: str = "", before: str = "", of: str | None = None, base: int | None = None, **fields: Any
) -> BuiltChange:
    """Return the change that adds a scene which shows its name, or that replaces the scene `of`.

    `body` runs when it is drawn, and `before` when it is loaded.
    """
    draft = a_draft(name, props={"title": name}, duration_in_frames=30, **fields)
    code = before + SCENE.format(body=body)
    digest = f"{abs(hash((name, code))):064x}"
    build = Build(js_code=code, compiler="by hand", runtime="1", digest=digest)
    change = PutScene(scene_id=of or scene_id(a_job_id(), 0), base_version=base, draft=draft)
    return BuiltChange(change=change, build=build)


class VideoPage:
    """The page of one project in a tab."""

    def __init__(self, console: Console, project_id: str) -> None:
        self.console = console
        self.page = console.page
        self.id = project_id
        self.stage: FrameLocator = self.page.locator(".player").frame_locator("iframe")
        self.scenes: Locator = self.page.get_by_role("region", name="Storyboard").locator("button.scene-choice")
        self.messages: Locator = self.page.get_by_role("list", name="Conversation").get_by_role("listitem")
        self.revisions: Locator = self.page.get_by_role("list", name="Revisions, newest first").get_by_role("listitem")
        self.undo: Locator = self.button("Undo")
        console.open(f"/console/projects/{project_id}")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def shows(self, title: str) -> None:
        expect(self.stage.get_by_role("heading", name=title)).to_be_visible()

    def say(self, text: str) -> None:
        self.page.get_by_label("Message", exact=True).fill(text)
        self.button("Send").click()


def video_of(console: Console, user: ApiUser, *changes: BuiltChange) -> VideoPage:
    project_id = new_project(user)["projectId"]
    if changes:
        give_scenes(user.stack, project_id, *changes)
    return VideoPage(console, project_id)


def test_a_video_is_created_begins_empty_and_is_its_owners_alone(
    console: Console, new_user: Callable[[], ApiUser]
) -> None:
    console.open("/console/projects")
    page = console.page
    audit(console.tab, "videos")
    page.get_by_label("Title").fill("Launch – 🚀")
    page.get_by_label("Format").select_option("square")
    page.get_by_role("button", name="Create a video").click()
    page.wait_for_url("**/console/projects/prj_*")
    expect(page.get_by_role("heading", name="Launch – 🚀")).to_be_visible()
    expect(page.get_by_text("No scenes yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    audit(console.tab, "video-empty")

    console.tab.expect_complaints("403")
    console.open(f"/console/projects/{new_project(new_user())['projectId']}")
    expect(page.get_by_text("belongs to another user").first).to_be_visible()


def test_scenes_are_shown_chosen_played_and_compared_with_those_of_another_revision(
    console: Console, user: ApiUser
) -> None:
    video = video_of(console, user, a_scene("Plain"), a_scene("Numbers"), a_scene("Closing"))
    video.shows("Plain")
    expect(video.scenes).to_have_count(3)
    video.scenes.nth(1).click()
    video.shows("Numbers")
    expect(video.page.get_by_text("About the scene “Numbers”.")).to_be_visible()
    video.page.get_by_label("Time", exact=True).fill("75")
    video.shows("Closing")
    expect(video.stage.get_by_text("frame 15")).to_be_visible()
    audit(console.tab, "video")
    video.button("Play").click()
    expect(video.stage.get_by_text("frame 15")).not_to_be_visible()
    video.button("Pause").click()
    expect(video.button("Play")).to_be_visible()

    scene = get_project(user, video.id)["scenes"][0]
    give_scenes(user.stack, video.id, a_scene("Bold", of=scene["sceneId"], base=scene["version"]))
    give_scenes(user.stack, video.id, a_scene("Added"))
    video.page.evaluate("dispatchEvent(new Event('focus'))")  # as when the tab is looked at again
    expect(video.scenes).to_have_count(4)
    two_revisions_are_compared(video)


def two_revisions_are_compared(video: VideoPage) -> None:
    """Revision 3, which replaces the scene “Plain” by “Bold”, is shown beside the one before."""
    video.page.get_by_role("button", name="Compare revision 3 with the one before").click()
    comparison = video.page.get_by_role("region", name="Before and after revision 3")
    for index, title in enumerate(["Plain", "Bold"]):
        expect(comparison.frame_locator("iframe").nth(index).get_by_role("heading", name=title)).to_be_visible()
    comparison.get_by_label("Position in both videos").fill("20")
    for index in range(2):
        expect(comparison.frame_locator("iframe").nth(index).get_by_text("frame 20")).to_be_visible()
    audit(video.console.tab, "video-compared")
    comparison.get_by_role("button", name="Close").click()
    expect(comparison).to_have_count(0)


def test_a_scene_that_throws_is_told_and_the_others_play(console: Console, user: ApiUser) -> None:
    video = video_of(console, user, a_scene("Broken", body="throw new Error('boom');"), a_scene("Whole"))
    expect(video.stage.get_by_text("This scene cannot be drawn: boom")).to_be_visible()
    expect(video.page.get_by_text("Cannot be drawn: boom")).to_be_visible()
    video.scenes.nth(1).click()
    video.shows("Whole")
    audit(console.tab, "video-broken")


def test_a_scene_that_hangs_is_left_out_and_the_page_stays_usable(console: Console, user: ApiUser) -> None:
    video = video_of(console, user, a_scene("Whole"), a_scene("Endless", body="while (true) {}"))
    video.shows("Whole")
    video.scenes.nth(1).click()
    expect(video.page.get_by_text("Left out: it did not finish drawing.")).to_be_visible()
    expect(video.stage.get_by_text("was left out")).to_be_visible()
    video.scenes.nth(0).click()
    video.shows("Whole")
    audit(console.tab, "video-left-out")


def test_a_scene_that_never_loads_is_left_out_and_the_others_play(console: Console, user: ApiUser) -> None:
    endless = a_scene("Endless", before="await new Promise(() => {});")
    video = video_of(console, user, endless, a_scene("Whole"))
    expect(video.page.get_by_text("Left out: it did not finish drawing.")).to_be_visible()
    video.scenes.nth(1).click()
    video.shows("Whole")


def test_what_is_said_changes_the_film_without_a_reload_and_is_undone(console: Console, user: ApiUser) -> None:
    video = video_of(console, user, a_scene("Opening"), a_scene("Numbers"))
    video.shows("Opening")
    video.stage.locator("html").evaluate("html => { html.dataset.same = 'yes'; }")
    video.say("delete scene 1")
    expect(video.scenes).to_have_count(1)
    video.shows("Numbers")
    expect(video.messages).to_have_count(2)
    expect(video.revisions).to_have_count(3)
    audit(console.tab, "video-changed")

    video.undo.click()
    expect(video.scenes).to_have_count(2)
    video.shows("Opening")
    assert video.stage.locator("html").get_attribute("data-same") == "yes"
    video.page.get_by_role("button", name="Go back to revision 3").click()
    expect(video.scenes).to_have_count(1)
    assert get_project(user, video.id)["revision"] == 5
    video.undo.click()
    expect(video.scenes).to_have_count(2)
    a_question_is_answered_with_one_click(video)


def a_question_is_answered_with_one_click(video: VideoPage) -> None:
    before = video.messages.count()
    video.say("delete it")
    options = video.messages.nth(before + 1).locator("button.option")
    expect(options.first).to_be_visible()
    audit(video.console.tab, "video-question")
    label = options.first.inner_text()
    options.first.click()
    expect(video.messages.nth(before + 2)).to_contain_text(label)
    expect(video.scenes).to_have_count(1)


def test_older_messages_are_shown_on_request_and_pictures_are_sent_with_a_new_one(
    console: Console, user: ApiUser
) -> None:
    project_id = str(new_project(user)["projectId"])
    give_messages(user.stack, project_id, *(f"Wish {number}" for number in range(120)))
    give_scenes(user.stack, project_id, a_scene("Opening"), a_scene("Numbers"))
    video = VideoPage(console, project_id)
    video.shows("Opening")
    expect(video.messages).to_have_count(50)
    expect(video.messages.first).to_contain_text("Wish 70")
    video.button("Older messages").click()
    expect(video.messages).to_have_count(100)
    video.button("Older messages").click()
    expect(video.messages).to_have_count(120)
    expect(video.messages.first).to_contain_text("Wish 0")
    expect(video.messages.last).to_contain_text("Wish 119")
    expect(video.button("Older messages")).to_be_hidden()

    chosen = video.page.locator("#pictures")
    chosen.set_input_files({"name": "notes.png", "mimeType": "image/png", "buffer": b"no image"})
    expect(video.page.get_by_role("alert")).to_contain_text("cannot be read as an image")
    contents = [png_of(number, 90, 200, width=8, height=8) for number in range(3)]
    chosen.set_input_files(
        [{"name": f"picture {n}.png", "mimeType": "image/png", "buffer": each} for n, each in enumerate(contents)]
    )
    attached = video.page.get_by_role("list", name="Pictures of the next message").get_by_role("img")
    expect(attached).to_have_count(3)
    audit(console.tab, "video-pictures")
    video.say("delete scene 2")
    expect(video.messages.nth(120).get_by_role("img")).to_have_count(3)
    expect(attached).to_have_count(0)
    images = user.api.get(f"/projects/{video.id}/images").json()["data"]["images"]
    assert [each["status"] for each in images] == ["ready"] * 3
