"""The changes that a tool, a person or an undo makes to a project; all others are refused or written as these."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from shared.apps.video.ids import ComponentName, SceneId
from shared.apps.video.scene import ComponentDraft, Format, SceneDraft
from shared.schema import Schema
from shared.texts import PLAIN_NAME

FIRST: Literal["first"] = "first"
"""In `after`: the scene becomes the first one."""


class PutScene(Schema):
    """Add a scene, or replace one that has the version `base_version`.

    `after` is the scene behind which a new scene is placed; None places it last. A scene that is replaced keeps its
    place, and `after` is None.
    """

    kind: Literal["putScene"] = "putScene"
    scene_id: SceneId
    base_version: int | None = Field(default=None, ge=1)
    after: SceneId | Literal["first"] | None = None
    draft: SceneDraft


class RemoveScene(Schema):
    """Remove a scene that has the version `base_version`. Its versions stay, so it can come back."""

    kind: Literal["removeScene"] = "removeScene"
    scene_id: SceneId
    base_version: int = Field(ge=1)


class MoveScene(Schema):
    """Place a scene behind another one, or first; None places it last."""

    kind: Literal["moveScene"] = "moveScene"
    scene_id: SceneId
    after: SceneId | Literal["first"] | None = None


class PutComponent(Schema):
    """Add a component, or replace one that has the version `base_version`."""

    kind: Literal["putComponent"] = "putComponent"
    name: ComponentName
    base_version: int | None = Field(default=None, ge=1)
    draft: ComponentDraft


class SetProject(Schema):
    """Set the project's title or format; None leaves it as it is."""

    kind: Literal["setProject"] = "setProject"
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), PLAIN_NAME] | None = (
        None
    )
    format: Format | None = None


ProjectChange: TypeAlias = Annotated[
    PutScene | RemoveScene | MoveScene | PutComponent | SetProject, Field(discriminator="kind")
]
