"""What a render needs to know of one revision: its scenes and components as code, its format, and the quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from shared.apps.video.ids import ComponentName, ImageId, SceneId
from shared.apps.video.picture import PictureType
from shared.apps.video.scene import Format, Frames, PlaybackRate, SceneName
from shared.schema import Schema

MAX_SECONDS: Final = 600
"""Longest video that is rendered, in seconds."""

Quality = Literal["draft", "standard", "high"]
"""How a video is rendered: `draft` at half the size."""


class PlannedScene(Schema):
    """A scene as it plays in the video. `code` is the ES module of its build."""

    id: SceneId
    version: int = Field(ge=1)
    name: SceneName
    code: str
    duration_in_frames: Frames
    playback_rate: PlaybackRate = 1
    props: dict[str, Any] = Field(default_factory=dict)


class PlannedComponent(Schema):
    """A component that scenes use. `code` is the ES module of its build."""

    name: ComponentName
    version: int = Field(ge=1)
    code: str


class RenderPlan(Schema):
    """Everything that decides the pictures of a video, except the bytes of its images.

    The same plan and the same image bytes give the same pictures on every machine that has the same fonts.
    """

    format: Format
    quality: Quality = "standard"
    scenes: tuple[PlannedScene, ...] = Field(min_length=1)
    components: tuple[PlannedComponent, ...] = ()
    image_ids: tuple[ImageId, ...] = ()

    @property
    def frames(self) -> int:
        """Frames of the whole video."""
        return sum(scene.duration_in_frames for scene in self.scenes)

    @property
    def seconds(self) -> float:
        return self.frames / self.format.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the video in pixels. Both are even, because the encoder halves the size of colours."""
        scale = 0.5 if self.quality == "draft" else 1.0
        return _even(self.format.width * scale), _even(self.format.height * scale)

    def scene_at(self, frame: int) -> tuple[PlannedScene, int]:
        """Return the scene that plays at a frame of the video, and the frame of that scene; both count from 0."""
        start = 0
        for scene in self.scenes:
            if frame < start + scene.duration_in_frames:
                return scene, frame - start
            start += scene.duration_in_frames
        raise IndexError(f"the video has {self.frames} frames, and frame {frame} is not one of them")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The bytes of an image of the project, and their type."""

    content: bytes
    type: PictureType


def _even(pixels: float) -> int:
    return int(pixels) // 2 * 2
