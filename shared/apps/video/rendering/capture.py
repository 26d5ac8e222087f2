"""Draw the frames of a chunk in the browser, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared.apps.video.rendering.browser import Browser, PageError
from shared.apps.video.rendering.browser_process import lost
from shared.apps.video.rendering.chunks import Chunk
from shared.apps.video.rendering.fonts import characters_of, packages_for
from shared.apps.video.rendering.plan import PlannedScene, RenderPlan
from shared.apps.video.rendering.stage_files import PAGE, image_path
from shared.errors import InternalFault, SceneBroken

_DRIVER: Final = Path(__file__).with_name("driver.js")
_TRIES: Final = 5
"""How often the first picture is asked for: before there is one, the browser may answer that nothing has changed."""


def open_stage(browser: Browser, plan: RenderPlan, chunk: Chunk) -> None:
    """Show the stage with what plays in the chunk. Raises SceneBroken if a scene or a component cannot be loaded."""
    browser.open(PAGE, _DRIVER.read_text())
    scenes, _ = _playing(plan, chunk)
    project = {
        "format": plan.format.model_dump(),
        "scenes": [
            {"id": scene.id, "version": scene.version, "durationInFrames": scene.duration_in_frames} for scene in scenes
        ],
    }
    given = {
        "project": project,
        "scenes": [_scene_message(scene) for scene in scenes],
        "components": [component.model_dump() for component in plan.components],
        "images": [{"id": image_id, "path": image_path(image_id)} for image_id in plan.image_ids],
    }
    _raise_first(_run(browser, "(given) => millrace.open(given)", given), plan, None)


def missing_fonts(browser: Browser, plan: RenderPlan) -> tuple[str, ...]:
    """Return the packages of Debian whose fonts the video needs and the browser does not find."""
    characters = characters_of(plan)
    return (
        packages_for(_run(browser, "(characters) => millrace.undrawable(characters)", characters)) if characters else ()
    )


def pictures(browser: Browser, plan: RenderPlan, chunk: Chunk) -> Iterator[bytes]:
    """Yield the picture of each frame of the chunk, as a JPEG.

    While the caller works with one picture, the browser makes the next.

    Raises SceneBroken at a frame whose scene throws.
    """
    _, start = _playing(plan, chunk)
    last = _first_picture(browser, plan, chunk.first, start)
    for frame in range(chunk.first + 1, chunk.first + chunk.frames):
        _show(browser, plan, frame, start)
        take = browser.take_picture()
        yield last
        last = take() or last
    yield last


def _first_picture(browser: Browser, plan: RenderPlan, frame: int, start: int) -> bytes:
    for _ in range(_TRIES):
        _show(browser, plan, frame, start)
        if picture := browser.take_picture()():
            return picture
    raise lost("did not draw the first picture")


def _show(browser: Browser, plan: RenderPlan, frame: int, start: int) -> None:
    _raise_first(_run(browser, "(frame) => millrace.show(frame)", frame - start), plan, frame)


def _run(browser: Browser, function: str, given: Any) -> Any:
    try:
        return browser.run(function, given)
    except PageError as error:
        raise InternalFault(f"the page that draws scenes is broken: {error}") from error


def _playing(plan: RenderPlan, chunk: Chunk) -> tuple[Sequence[PlannedScene], int]:
    """Return the scenes that play in the chunk, and the frame of the video at which the first of them begins."""
    playing: list[PlannedScene] = []
    first = start = 0
    for scene in plan.scenes:
        end = start + scene.duration_in_frames
        if start < chunk.first + chunk.frames and end > chunk.first:
            first = first if playing else start
            playing.append(scene)
        start = end
    return playing, first


def _scene_message(scene: PlannedScene) -> dict[str, Any]:
    return {
        "id": scene.id,
        "version": scene.version,
        "code": scene.code,
        "durationInFrames": scene.duration_in_frames,
        "playbackRate": scene.playback_rate,
        "props": scene.props,
    }


def _raise_first(errors: Sequence[Mapping[str, Any]], plan: RenderPlan, frame: int | None) -> None:
    """Raise the first error of the stage. `frame` is the video's that was drawn; None while scenes were loaded."""
    if not errors:
        return
    error = errors[0]
    if error["type"] == "componentError":
        raise SceneBroken(f"the component {error['name']} cannot be loaded: {error['message']}")
    scene = next(scene for scene in plan.scenes if (scene.id, scene.version) == (error["id"], error["version"]))
    own = 0 if frame is None else plan.scene_at(frame)[1]
    broken = SceneBroken(f"the scene “{scene.name}” cannot be drawn at its frame {own}: {error['message']}")
    broken.scene_id, broken.frame = scene.id, own
    raise broken
