"""Chunks of a video are drawn in Chromium, encoded, and joined; the pictures are those of the preview."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import struct
import tempfile
import time
import zlib
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser as Preview

from local.stack import LocalStack
from shared.apps.video.rendering import programs
from shared.apps.video.rendering.browser import Browser
from shared.apps.video.rendering.capture import open_stage, pictures
from shared.apps.video.rendering.chromium_renderer import ChromiumRenderer, Mp4Joiner
from shared.apps.video.rendering.chunks import GOP, Chunk, divide
from shared.apps.video.rendering.encoder import encode
from shared.apps.video.rendering.joining import join
from shared.apps.video.rendering.plan import ImageFile, PlannedComponent, PlannedScene, Quality, RenderPlan
from shared.apps.video.rendering.programs import Program
from shared.apps.video.rendering.renderer import JoinedVideo, RenderedChunk
from shared.apps.video.rendering.stage_files import stage_files
from shared.apps.video.scene import Format
from shared.errors import DataUnreadable, ErrorCode, SceneBroken, StorageUnavailable
from tests.browser.counting_server import counting
from tests.browser.mp4 import read_index
from tests.browser.video_pictures import colour_at, frames_of, likeness, picture_of
from tests.patience import PATIENCE

T = TypeVar("T")
WIDTH, HEIGHT, FPS = 320, 180, 30
IMAGE = "img_01jz0000000000000000000001"
SCENE = """
import {{ AbsoluteFill, Img, component, useCurrentFrame, useVideoConfig }} from "@millrace/scene";
import {{ jsx, jsxs }} from "preact/jsx-runtime";
const Badge = component("Badge");
export default function Scene({{ title = "", background = "white" }}) {{
  const frame = useCurrentFrame(), config = useVideoConfig();
  {body}
  return jsxs(AbsoluteFill, {{ style: {{ background }}, children: [{children}] }});
}}
"""
TITLE = 'jsx("h1", { style: { position: "absolute", left: 20 + 2 * frame, top: 50, color: "white" }, children: title })'
BADGE = """
import { jsx } from "preact/jsx-runtime";
const style = { position: "absolute", right: 0, background: "lime", color: "lime" };
export default ({ text }) => jsx("b", { style, children: text });
"""


def a_scene(number: int, frames: int, *, body: str = "", children: str = TITLE, **props: Any) -> PlannedScene:
    return PlannedScene(
        id=f"scn_01jz0000000000000000000000-{number}",
        version=1,
        name=f"Scene {number}",
        code=SCENE.format(body=body, children=children),
        duration_in_frames=frames,
        props=props,
    )


def a_plan(*scenes: PlannedScene, quality: Quality = "standard") -> RenderPlan:
    return RenderPlan(format=Format(width=WIDTH, height=HEIGHT, fps=FPS), scenes=scenes, quality=quality)


FILM = a_plan(
    a_scene(1, 30, title="Tide", background="#cc2020"),
    a_scene(2, 45, title="Ebb and flow", background="linear-gradient(90deg, #104060, #2080c0)"),
    a_scene(3, 30, title="Water", background="#2020cc"),
)


def rendered(plan: RenderPlan, chunk: Chunk, images: dict[str, ImageFile] | None = None) -> RenderedChunk:
    return run(ChromiumRenderer().render(plan, chunk, images or {}))


def joined(plan: RenderPlan, *chunks: bytes) -> JoinedVideo:
    return run(Mp4Joiner().join(plan, chunks))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread: the thread of Playwright has a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="module", autouse=True)
def can_render() -> None:
    """Skip these tests if this machine cannot render; in CI they fail, and name what to install."""
    if lacks := programs.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(", ".join(lacks))
        pytest.skip(", ".join(lacks))


@pytest.fixture(scope="module")
def chunks() -> list[RenderedChunk]:
    return [rendered(FILM, chunk) for chunk in divide(FILM.frames)]


@pytest.fixture(scope="module")
def film(chunks: list[RenderedChunk]) -> JoinedVideo:
    return joined(FILM, *(chunk.content for chunk in chunks))


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files of this test; its path is short, because Chromium makes a socket in it."""
    with tempfile.TemporaryDirectory(prefix="r-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


# ---- the video -------------------------------------------------------------------------------------------------------


def test_the_video_has_the_frames_of_the_scenes_and_says_so(film: JoinedVideo) -> None:
    index = read_index(film.content)
    assert (index.frames, index.seconds, index.width, index.height) == (105, 3.5, WIDTH, HEIGHT)
    assert (film.frames, film.seconds, film.width, film.height) == (105, 3.5, WIDTH, HEIGHT)
    assert index.key_frames == (0, GOP)
    assert index.boxes.index("moov") < index.boxes.index("mdat")  # a player begins before it has the whole file
    assert index.created == 0  # a date would make every file another one


def test_every_frame_decodes_once_in_order_with_the_colours_of_its_scene(film: JoinedVideo) -> None:
    frames = frames_of(film.content)
    assert [frame.pts * frame.time_base * FPS for frame in frames] == list(range(105))
    for probe, expected in [(0, (204, 32, 32)), (29, (204, 32, 32)), (75, (32, 32, 204)), (104, (32, 32, 204))]:
        got = colour_at(frames[probe], WIDTH - 5, HEIGHT - 5)
        assert all(abs(one - other) <= 6 for one, other in zip(got, expected, strict=True)), (probe, got)


def test_a_frame_of_the_video_is_the_frame_of_the_preview(
    film: JoinedVideo, browser: Preview, stack: LocalStack
) -> None:
    frames = frames_of(film.content)
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.goto(f"{stack.api_url}/stage")
    for probe in (15, GOP, 90):  # the second is the first of its chunk
        page.evaluate(PREVIEW, {"film": _messages(FILM), "frame": probe})
        assert likeness(frames[probe], picture_of(page.screenshot())) >= 0.98
        assert likeness(frames[probe - 10], picture_of(page.screenshot())) < 0.98  # the measure tells frames apart
    context.close()


PREVIEW = """async ({ film, frame }) => {
  const heard = [];
  const until = (wanted) => new Promise((resolve) => {
    const look = () => { if (wanted()) { removeEventListener("message", look); resolve(); } };
    addEventListener("message", ({ data }) => heard.push(data));
    addEventListener("message", look);
  });
  for (const each of film) window.postMessage(each, "*");
  await until(() => heard.filter((each) => each.type === "shown").length === film.length - 1);
  window.postMessage({ type: "seek", frame }, "*");
  window.postMessage({ type: "ping", n: frame }, "*");
  await until(() => heard.some((each) => each.type === "pong"));
  await Promise.all([...document.fonts].map((font) => font.load()));
}"""


def _messages(plan: RenderPlan) -> list[dict[str, Any]]:
    timed = [
        (scene, {"id": scene.id, "version": 1, "durationInFrames": scene.duration_in_frames}) for scene in plan.scenes
    ]
    project = {"type": "project", "format": plan.format.model_dump(), "scenes": [entry for _, entry in timed]}
    return [project, *({"type": "scene", "code": scene.code, "props": scene.props, **entry} for scene, entry in timed)]


def test_a_browser_plays_the_video(film: JoinedVideo, browser: Preview) -> None:
    page = browser.new_page()
    url = f"data:video/mp4;base64,{base64.b64encode(film.content).decode()}"
    shown = page.evaluate(PLAYER, {"url": url, "second": 80 / FPS, "patience": PATIENCE * 1000})
    page.close()
    if shown is None:
        pytest.skip("this Chromium does not play H.264")
    assert (shown["width"], shown["height"], shown["seconds"]) == (WIDTH, HEIGHT, 3.5)
    off = [abs(one - other) for one, other in zip(shown["colour"], (32, 32, 204), strict=True)]
    assert max(off) <= 15, shown  # Chromium's own conversion, without a graphics card, loses some blue


PLAYER = """async ({ url, second, patience }) => {
  const video = document.createElement("video");
  if (video.canPlayType('video/mp4; codecs="avc1.64000c"') === "") return null;
  const event = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener("error", () => reject(video.error), { once: true });
  });
  const [loaded, sought] = [event("loadeddata"), event("seeked")];
  video.src = url;
  await loaded;
  video.currentTime = second;
  await sought;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  let [red, green, blue, alpha] = [0, 0, 0, 0];
  // On a busy machine, the picture may come after the event, and until then nothing is drawn.
  for (const began = performance.now(); alpha === 0 && performance.now() - began < patience;) {
    context.drawImage(video, 0, 0);
    [red, green, blue, alpha] = context.getImageData(5, 5, 1, 1).data;
    if (alpha === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { width: video.videoWidth, height: video.videoHeight, seconds: video.duration, colour: [red, green, blue] };
}"""


def test_another_attempt_at_a_chunk_has_the_same_bytes(chunks: list[RenderedChunk]) -> None:
    again = rendered(FILM, divide(FILM.frames)[1])
    assert (again.content, again.sha256) == (chunks[1].content, chunks[1].sha256)


def test_a_draft_has_half_the_size(chunks: list[RenderedChunk]) -> None:
    draft = rendered(FILM.model_copy(update={"quality": "draft"}), Chunk(0, 0, 2))
    index = read_index(draft.content)
    assert (index.width, index.height, index.frames) == (WIDTH // 2, HEIGHT // 2, 2)


@pytest.mark.parametrize("last", [1, 2, 3])
def test_a_last_chunk_of_few_frames_makes_the_video_no_longer(last: int) -> None:
    colours = [_jpeg_of(number) for number in range(GOP + last)]
    size = (64, 64)
    parts = (colours[:GOP], colours[GOP:])
    chunks = [encode(part, size=size, fps=FPS, quality="standard")[0] for part in parts]
    plan = RenderPlan(format=Format(width=64, height=64, fps=FPS), scenes=(a_scene(1, GOP + last),))
    index = read_index(join(plan, chunks).content)
    assert (index.frames, index.seconds) == (GOP + last, (GOP + last) / FPS)


def _jpeg_of(number: int) -> bytes:
    """Return a picture of one colour."""
    import av  # noqa: PLC0415 - only what renders has it

    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 64, 64, "yuvj420p", Fraction(1, FPS)
    frame = av.VideoFrame(64, 64, "yuvj420p")
    for position, plane in enumerate(frame.planes):
        plane.update(bytes([(number * 3 + position * 40) % 256]) * plane.buffer_size)
    frame.pts = 0
    return bytes(context.encode(frame)[0])


@pytest.mark.parametrize("names", [programs._SHELLS, programs._BROWSERS], ids=["drawn on command", "copied"])
def test_every_kind_of_chromium_draws_the_same_pictures(names: tuple[str, ...], chunks: list[RenderedChunk]) -> None:
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"none of these is installed: {', '.join(names)}")
    program = Program(Path(path), draws_on_command=names is programs._SHELLS)
    chunk = Chunk(0, 28, 4)
    with Browser(program, FILM.size, stage_files({})) as browser:
        open_stage(browser, FILM, chunk)
        drawn = [_decoded(picture) for picture in pictures(browser, FILM, chunk)]
    expected = frames_of(chunks[0].content)[28:32]
    assert [likeness(one, other) >= 0.98 for one, other in zip(drawn, expected, strict=True)] == [True] * 4


def _decoded(jpeg: bytes) -> Any:
    (frame,) = frames_of(jpeg)
    return frame.reformat(
        format="yuv420p",
        src_colorspace="ITU601",
        src_color_range="JPEG",
        dst_colorspace="ITU709",
        dst_color_range="MPEG",
    )


def test_images_and_components_are_there_from_the_first_frame_of_every_chunk() -> None:
    image = f'jsx(Img, {{ image: "{IMAGE}", style: {{ width: 100, height: 100 }} }})'
    children = f'{image}, jsx(Badge, {{ text: "MM" }})'
    plan = a_plan(a_scene(1, 62, children=children)).model_copy(
        update={
            "image_ids": (IMAGE,),
            "components": (PlannedComponent(name="Badge", version=1, code=BADGE),),
        }
    )
    last = rendered(plan, divide(plan.frames)[1], {IMAGE: ImageFile(a_png(0, 160, 160), "image/png")})
    first_frame = frames_of(last.content)[0]
    assert all(abs(a - b) <= 8 for a, b in zip(colour_at(first_frame, 50, 50), (0, 160, 160), strict=True))
    assert colour_at(first_frame, WIDTH - 4, 8)[1] > 240


def a_png(red: int, green: int, blue: int, side: int = 16) -> bytes:
    """Return a PNG of one colour."""

    def box(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + box(b"IHDR", header) + box(b"IDAT", zlib.compress(rows)) + box(b"IEND", b"")


def test_fonts_that_are_missing_are_named_by_their_packages() -> None:
    # The first is in the font that is bundled; no font that machines have has the second, a script of ancient Anatolia.
    plan = a_plan(a_scene(1, 1, title="Приливы", others=["\U000102a0"]))
    assert rendered(plan, Chunk(0, 0, 1)).missing_fonts == ("fonts-noto-core",)


# ---- what breaks -----------------------------------------------------------------------------------------------------


def test_a_scene_that_throws_at_one_frame_is_named_with_its_frame_and_message() -> None:
    broken = a_scene(2, 60, body='if (frame === 41) throw new Error("no such bar: 7");')
    plan = a_plan(a_scene(1, 60), broken)
    with pytest.raises(SceneBroken, match="“Scene 2” cannot be drawn at its frame 41: no such bar: 7") as caught:
        rendered(plan, Chunk(0, 98, 6))
    assert (caught.value.scene_id, caught.value.frame, caught.value.retryable) == (broken.id, 41, False)
    assert rendered(plan, Chunk(0, 102, 2)).frames == 2


def test_a_scene_or_a_component_that_cannot_be_loaded_is_named() -> None:
    no_scene = a_scene(1, 2).model_copy(update={"code": "export const S = 1;"})
    with pytest.raises(SceneBroken, match=r"“Scene 1”.* no function as default export"):
        rendered(a_plan(no_scene), Chunk(0, 0, 2))
    broken = PlannedComponent(name="Badge", version=1, code="export default nothing;")
    with pytest.raises(SceneBroken, match="component Badge cannot be loaded: nothing is not defined"):
        rendered(a_plan(a_scene(1, 2)).model_copy(update={"components": (broken,)}), Chunk(0, 0, 2))


def drawing() -> Iterator[Browser]:
    """Yield a browser that has drawn one picture, and then draws the next."""
    chunk = Chunk(0, 0, 5)
    with Browser(programs.program(), FILM.size, stage_files({})) as browser:
        open_stage(browser, FILM, chunk)
        drawn = pictures(browser, FILM, chunk)
        next(drawn)
        yield browser
        list(drawn)


def assert_nothing_is_left(scratch: Path, group: int | None = None) -> None:
    """Assert that no folder is left, and, as soon as the system has ended them, no process."""
    assert not list(scratch.iterdir())
    end = time.monotonic() + PATIENCE
    while left := [
        command for process, command in _processes() if _group_of(process) == group or str(scratch) in command
    ]:
        assert time.monotonic() < end, left
        time.sleep(0.01)


def _processes() -> Iterator[tuple[Path, str]]:
    """Yield the processes that have not ended, with their commands."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if command := (process / "cmdline").read_text():
                yield process, command


def _group_of(process: Path) -> int | None:
    with contextlib.suppress(OSError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[2])
    return None


def test_a_browser_that_is_killed_fails_the_chunk_for_another_attempt_and_leaves_nothing(scratch: Path) -> None:
    steps = drawing()
    browser = next(steps)
    group = browser.pid  # Debian's headless shell is started by a script, which would outlive it
    os.killpg(group, signal.SIGKILL)
    with pytest.raises(StorageUnavailable, match="browser that draws the video died") as caught:
        next(steps)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.WORKER_LOST, True)
    assert_nothing_is_left(scratch, group)


def test_a_browser_that_hangs_is_ended_after_its_time(scratch: Path) -> None:
    steps = drawing()
    browser = next(steps)
    group = browser.pid
    browser._seconds = 0.5  # only now: to start may take longer
    os.killpg(group, signal.SIGSTOP)
    with pytest.raises(StorageUnavailable, match=r"did not respond within 0\.5 seconds") as caught:
        next(steps)
    assert caught.value.code is ErrorCode.WORKER_LOST
    assert_nothing_is_left(scratch, group)


def test_a_caller_that_gives_up_ends_the_browser(scratch: Path) -> None:
    # The scene holds its browser for ever, so only the cancellation can end it.
    plan = a_plan(a_scene(1, 5, body="while (frame === 1) {}"))

    async def give_up() -> None:
        attempt = asyncio.create_task(ChromiumRenderer().render(plan, Chunk(0, 0, 5), {}))
        while not any(str(scratch) in command for _, command in _processes()):
            await asyncio.to_thread(time.sleep, 0.01)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

    run(give_up())
    assert_nothing_is_left(scratch)


SENDS = """
fetch("SERVER/fetch").catch(() => undefined);
import("SERVER/import").catch(() => undefined);
new Image().src = "SERVER/image";
document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "SERVER/css" }));
document.body.append(Object.assign(document.createElement("iframe"), { src: "SERVER/frame" }));
try { new WebSocket("SERVER/socket".replace("http", "ws")); } catch {}
"""


def test_a_scene_reaches_no_network(scratch: Path) -> None:
    with counting() as server:
        tries = SENDS.replace("SERVER", server.url)
        video = rendered(a_plan(a_scene(1, 5, body=tries)), Chunk(0, 0, 5))
        assert (video.frames, server.arrivals) == (5, [])


def test_chunks_that_do_not_make_the_video_are_refused(chunks: list[RenderedChunk]) -> None:
    first = chunks[0].content
    with pytest.raises(DataUnreadable, match="has 60 frames of 320x180 in 2 s instead of 105"):
        joined(FILM, first)
    with pytest.raises(DataUnreadable, match="cannot be joined"):
        joined(FILM, first, b"no video")
    with pytest.raises(DataUnreadable, match="cannot be joined"):
        joined(FILM, first, chunks[1].content[:200])
    other = rendered(replace_format(FILM, width=160), Chunk(0, 0, 1))
    with pytest.raises(DataUnreadable, match="different ways"):
        joined(FILM, first, other.content)


def replace_format(plan: RenderPlan, *, width: int) -> RenderPlan:
    return plan.model_copy(update={"format": plan.format.model_copy(update={"width": width})})
