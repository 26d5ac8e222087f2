"""The events of a chat about a project, besides those of every job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.apps.video.build.report import BuildError
from shared.apps.video.ids import SceneId
from shared.log.events import ApplicationEvent


def scene_key(scene_id: str) -> str:
    """Return the key of all events and of the item of a scene."""
    return f"scene-{scene_id}"


def component_key(name: str) -> str:
    """Return the key of all `sceneStatus` events and of the item of a reusable component."""
    return f"component-{name}"


class ComponentStage(ApplicationEvent):
    """A step of making one scene or component begins or ends; `percent` is how much of it is done.

    Events of one component have one `key`. `scene_id` is None for a reusable component. `repair` is set while the code
    is written again, because the first one did not build; `errors` are those that it had.
    """

    type: Literal["componentStage"] = "componentStage"
    key: str
    scene_id: SceneId | None = None
    name: str
    stage: Literal["brief", "code", "build", "upload"]
    status: Literal["started", "finished", "failed"]
    percent: int = Field(ge=0, le=100)
    repair: bool = False
    errors: tuple[BuildError, ...] = ()


class SceneStatus(ApplicationEvent):
    """What happens to one scene or component; `order` is its position among the project's scenes, from 1.

    All events of one scene have the `key` `scene-<sceneId>`, which is that of its item when it is saved; those of a
    reusable component have `component-<name>` and no `scene_id`.
    """

    type: Literal["sceneStatus"] = "sceneStatus"
    key: str
    scene_id: SceneId | None = None
    name: str
    order: int = Field(ge=1)
    status: Literal["planned", "writing", "building", "repairing", "playable", "saved", "removed", "failed"]
