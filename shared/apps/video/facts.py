"""What the tools and the brain know about a project: a frozen view of one revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.apps.video.manifest import SceneEntry
from shared.apps.video.scene import ComponentDraft, Format, SceneDraft


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """A scene: its entry in the manifest, and its draft; None if the draft was not read."""

    entry: SceneEntry
    draft: SceneDraft | None = None

    @property
    def scene_id(self) -> str:
        return self.entry.scene_id

    @property
    def name(self) -> str:
        return self.entry.name

    def seconds(self, fps: int) -> float:
        """Return how long the scene plays, in seconds with at most two decimals."""
        return round(self.entry.duration_in_frames / fps, 2)


@dataclass(frozen=True, slots=True)
class ComponentFacts:
    """A reusable component. `draft` is None if it was not read."""

    name: str
    version: int
    draft: ComponentDraft | None = None


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image of the project; `attached` is set if this message brought it."""

    image_id: str
    name: str
    width: int
    height: int
    attached: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """The project at one revision. Tools read nothing else.

    `new_scene_ids` are the ids that scenes get which a call adds, in order. `preferences` are the standing wishes of
    the owner by key.
    """

    revision: int
    title: str
    format: Format
    scenes: tuple[SceneFacts, ...] = ()
    components: tuple[ComponentFacts, ...] = ()
    images: tuple[ImageFacts, ...] = ()
    preferences: Mapping[str, str] = field(default_factory=dict)
    new_scene_ids: tuple[str, ...] = ()

    def scene(self, scene_id: str | None) -> SceneFacts | None:
        """Return the scene of this id; None if the project does not have it."""
        return next((each for each in self.scenes if each.scene_id == scene_id), None)

    def component(self, name: str) -> ComponentFacts | None:
        """Return the component of this name; None if the project does not have it."""
        return next((each for each in self.components if each.name == name), None)

    def number_of(self, scene_id: str) -> int:
        """Return the position of a scene, from 1; 0 if the project does not have it."""
        return next((at for at, each in enumerate(self.scenes, 1) if each.scene_id == scene_id), 0)

    def label(self, scene_id: str) -> str:
        """Return what people call the scene: its position and its name."""
        scene = self.scene(scene_id)
        return "a deleted scene" if scene is None else f"scene {self.number_of(scene_id)} “{scene.name}”"
