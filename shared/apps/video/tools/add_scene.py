"""The tool `addScene`: add one scene, from an instruction or from own code."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from shared.apps.video.facts import Facts
from shared.apps.video.ids import SceneId
from shared.apps.video.scene import MAX_FRAMES, MAX_SCENES, SceneName
from shared.apps.video.tools.effects import (
    ImageUse,
    Instruction,
    Seconds,
    VideoEffect,
    VideoOutcome,
    WriteScene,
    check_something_to_write,
    done,
    misfit,
    no_room,
    placement_missing,
    refused,
)
from shared.schema import Schema
from shared.texts import PLAIN_NAME
from shared.tools.result import Change
from shared.tools.tool import Tool


class AddScene(Schema):
    """Add a scene behind `after`; None adds it at the end. With `tsxCode` no model writes it."""

    instruction: Instruction | None = None
    name: Annotated[SceneName, PLAIN_NAME] | None = None
    after: SceneId | Literal["first"] | None = None
    seconds: Seconds | None = None
    references: tuple[SceneId, ...] = Field(default=(), max_length=4)
    image_uses: tuple[ImageUse, ...] = Field(default=(), max_length=8)
    tsx_code: str | None = None
    props: dict[str, Any] = Field(default_factory=dict)

    _has_something_to_write = model_validator(mode="after")(check_something_to_write)


def add_scene(facts: Facts, call: AddScene) -> VideoOutcome:
    """Return the scene to write."""
    wrong = (
        no_room(facts, 1, MAX_SCENES)
        or placement_missing(facts, call.after)
        or misfit(facts, call.references, call.image_uses)
    )
    if wrong is not None:
        return wrong
    if call.seconds is not None and not 1 <= round(call.seconds * facts.format.fps) <= MAX_FRAMES:
        return refused("DURATION_OUT_OF_RANGE", f"a scene has from 1 to {MAX_FRAMES} frames", "choose another length")
    scene_id = facts.new_scene_ids[0]
    work = WriteScene(
        scene_id=scene_id,
        after=call.after,
        name=call.name,
        instruction=call.instruction or "",
        seconds=call.seconds,
        references=call.references,
        image_uses=call.image_uses,
        tsx_code=call.tsx_code,
        props=call.props,
    )
    named = f"scene “{call.name}”" if call.name else "a scene"
    return done(f"Add {named}", work, changes=(Change(kind="scene", id=scene_id),))


TOOL: Tool[Facts, VideoEffect] = Tool(
    "addScene", "Add one new scene to the video.", AddScene, add_scene, lambda _: "Add a scene"
)
