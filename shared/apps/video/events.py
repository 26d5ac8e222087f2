"""The events of a chat about a project, besides those of every job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.apps.video.build.report import BuildError
from shared.apps.video.ids import SceneId
from shared.log.events import ApplicationEvent


class ComponentStage(ApplicationEvent):
    """A step of making one scene or component begins or ends; `percent` is how much of it is done.

    Events of one component have one `key`. `repair` is set while the code is written again, because the first one did
    not build; `errors` are those that it had.
    """

    type: Literal["componentStage"] = "componentStage"
    key: str
    name: str
    stage: Literal["brief", "code", "build", "upload"]
    status: Literal["started", "finished", "failed"]
    percent: int = Field(ge=0, le=100)
    repair: bool = False
    errors: tuple[BuildError, ...] = ()


class SceneStatus(ApplicationEvent):
    """What happens to one scene; `order` is its position among the project's scenes, from 1."""

    type: Literal["sceneStatus"] = "sceneStatus"
    key: str
    scene_id: SceneId | None = None
    name: str
    order: int = Field(ge=1)
    status: Literal["planned", "writing", "building", "repairing", "playable", "saved", "removed", "failed"]
