"""The manifest of a revision: which version of which scene plays when, and which components there are."""

from __future__ import annotations

from pydantic import Field

from shared.apps.video.ids import ComponentName, SceneId
from shared.apps.video.scene import MAX_SCENES, Frames, PlaybackRate, SceneName
from shared.schema import Schema


class SceneEntry(Schema):
    """A scene of a manifest. `digest` is that of the version's build."""

    scene_id: SceneId
    version: int = Field(ge=1)
    name: SceneName
    duration_in_frames: Frames
    playback_rate: PlaybackRate = 1
    digest: str


class ComponentEntry(Schema):
    """A component of a manifest."""

    name: ComponentName
    version: int = Field(ge=1)
    digest: str


class Manifest(Schema):
    """The scenes in the order in which they play, and the components that they use."""

    scenes: tuple[SceneEntry, ...] = Field(default=(), max_length=MAX_SCENES)
    components: tuple[ComponentEntry, ...] = ()

    def scene(self, scene_id: str) -> SceneEntry | None:
        """Return the scene of this id; None if the manifest does not have it."""
        return next((each for each in self.scenes if each.scene_id == scene_id), None)

    def component(self, name: str) -> ComponentEntry | None:
        """Return the component of this name; None if the manifest does not have it."""
        return next((each for each in self.components if each.name == name), None)

    @property
    def duration_in_frames(self) -> int:
        return sum(each.duration_in_frames for each in self.scenes)
