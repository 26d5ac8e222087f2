"""Scenes and components: what is written, what was built from it, and the immutable versions that a project keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field, Strict

from shared.apps.video.ids import ComponentName, ImageId, SceneId
from shared.schema import Schema

MAX_CODE_BYTES: Final = 40_000
"""Largest TSX of one scene or component, in bytes of UTF-8."""
MAX_FRAMES: Final = 9_000
"""Most frames of one scene."""
MAX_SCENES: Final = 200
"""Most scenes of a project."""

# Strict, because pydantic would otherwise accept "5" and true as numbers.
Frames = Annotated[int, Strict(), Field(ge=1, le=MAX_FRAMES)]
PlaybackRate = Annotated[float, Strict(), Field(ge=0.1, le=10)]
Pixels = Annotated[int, Strict(), Field(ge=64, le=1920)]
SceneName = Annotated[str, Field(min_length=1, max_length=100)]


class Format(Schema):
    """The size of the pictures in pixels, and how many frames a second has."""

    width: Pixels
    height: Pixels
    fps: Annotated[int, Strict(), Field(ge=1, le=60)]

    def __str__(self) -> str:
        return f"{self.width} x {self.height}, {self.fps} frames per second"


FORMATS: Final = {
    "landscape": Format(width=1280, height=720, fps=30),
    "portrait": Format(width=720, height=1280, fps=30),
    "square": Format(width=1080, height=1080, fps=30),
}
"""The formats that have a name."""


class SceneDraft(Schema):
    """A scene as it was written: its code and what a person changes without a model.

    `props` are the values that the code reads, such as texts and colours. At a `playback_rate` of 2 the scene's motion
    runs twice as fast. `layout_json` describes the layout for the model that edits the scene later. `images` are the
    ids of the images that the code shows.
    """

    name: SceneName
    tsx_code: str
    duration_in_frames: Frames
    playback_rate: PlaybackRate = 1
    props: dict[str, Any] = Field(default_factory=dict)
    layout_json: dict[str, Any] | None = None
    images: tuple[ImageId, ...] = ()


class ComponentDraft(Schema):
    """A reusable component as it was written; `props_example` are props with which it can be shown."""

    name: ComponentName
    tsx_code: str
    props_example: dict[str, Any] = Field(default_factory=dict)


class Build(Schema):
    """What was built from a draft: `js_code`, an ES module, and by what.

    `digest` is the SHA-256 of everything that the build depends on: the code, the compiler, the runtime, the rules, and
    what the test render played it with.
    """

    js_code: str
    compiler: str
    runtime: str
    digest: str


class SceneVersion(Schema):
    """One version of a scene. It never changes; a change makes the next version."""

    scene_id: SceneId
    version: int = Field(ge=1)
    draft: SceneDraft
    build: Build
    created_at: datetime


class ComponentVersion(Schema):
    """One version of a component. It never changes; a change makes the next version."""

    version: int = Field(ge=1)
    draft: ComponentDraft
    build: Build
    created_at: datetime
