"""One scene or component that a message makes: what is to be written, its brief, and its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field

from shared.apps.video.build.report import BuildError
from shared.apps.video.events import ComponentStage, SceneStatus, component_key, scene_key
from shared.apps.video.facts import Facts
from shared.apps.video.plan import Plan
from shared.apps.video.scene import PlaybackRate, SceneName
from shared.apps.video.tools.effects import WriteComponent, WritePlan, WriteScene
from shared.schema import Schema

StageName = Literal["brief", "code", "build", "upload"]
Status = Literal["started", "finished", "failed"]

_BEGINS: dict[StageName, int] = {"brief": 0, "code": 25, "build": 50, "upload": 75}


class Brief(Schema):
    """What a scene is to show, before its code is written. `props` are the values that its code reads."""

    name: SceneName
    purpose: str
    seconds: float = Field(gt=0)
    elements: tuple[str, ...] = ()
    palette: tuple[str, ...] = ()
    motion: str = ""
    props: dict[str, Any] = Field(default_factory=dict)
    summary: str = ""


class Component(Schema):
    """A scene or component in the making. `number` counts those of the message, from 1; `order` is its position."""

    number: int = Field(ge=1)
    order: int = Field(ge=1)
    work: WriteScene | WriteComponent = Field(discriminator="kind")
    brief: Brief
    playback_rate: PlaybackRate = 1

    @property
    def key(self) -> str:
        return f"component-{self.number}"

    @property
    def scene_id(self) -> str | None:
        """Return the id of the scene; None for a component."""
        return self.work.scene_id if isinstance(self.work, WriteScene) else None

    @property
    def name(self) -> str:
        return self.brief.name

    def stage_event(
        self, stage: StageName, status: Status, *, repair: bool = False, errors: Sequence[BuildError] = ()
    ) -> ComponentStage:
        """Return the event that says where the making of this component is."""
        percent = _BEGINS[stage] + (25 if status == "finished" else 0)
        return ComponentStage(
            key=self.key,
            scene_id=self.scene_id,
            name=self.name,
            stage=stage,
            status=status,
            percent=percent,
            repair=repair,
            errors=tuple(errors),
        )

    def status_event(
        self, status: Literal["planned", "writing", "building", "repairing", "playable", "saved", "failed"]
    ) -> SceneStatus:
        """Return the event that says what happens to the scene; a component has no scene id."""
        key = scene_key(self.work.scene_id) if isinstance(self.work, WriteScene) else component_key(self.work.name)
        return SceneStatus(key=key, scene_id=self.scene_id, name=self.name, order=self.order, status=status)


class Briefed(Schema):
    """What `brief_scenes` hands on: the plan, and the components to write."""

    plan: Plan
    components: tuple[Component, ...] = ()


def scene_works(work: WritePlan) -> Iterator[WriteScene]:
    """Yield the scenes of a plan, each behind the one before."""
    after = work.after
    for scene_id in work.scene_ids:
        yield WriteScene(scene_id=scene_id, after=after, instruction=work.instruction, image_uses=work.image_uses)
        after = scene_id


def order_of(facts: Facts, work: WriteScene | WriteComponent, index: int) -> int:
    """Return the position among the project's scenes that the component will have; `index` counts new ones from 0."""
    if isinstance(work, WriteComponent):
        return index + 1
    if work.base_version is not None:
        return max(1, facts.number_of(work.scene_id))
    if work.after == "first":
        return 1
    after = facts.number_of(work.after) if work.after is not None else 0
    return after + 1 if after else len(facts.scenes) + index + 1
