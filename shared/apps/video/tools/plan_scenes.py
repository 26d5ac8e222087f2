"""The tool `planScenes`: add several scenes from one instruction, in one revision."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.apps.video.facts import Facts
from shared.apps.video.ids import SceneId
from shared.apps.video.scene import MAX_SCENES
from shared.apps.video.tools.effects import (
    ImageUse,
    Instruction,
    Seconds,
    VideoEffect,
    VideoOutcome,
    WritePlan,
    done,
    misfit,
    no_room,
    placement_missing,
)
from shared.schema import Schema
from shared.tools.result import Change
from shared.tools.tool import Tool

FEWEST, MOST = 2, 8


class PlanScenes(Schema):
    """Add `count` scenes behind `after`, or at the end. `seconds` is the length of all together."""

    instruction: Instruction
    count: int = Field(ge=FEWEST, le=MOST, strict=True)
    seconds: Seconds | None = None
    after: SceneId | Literal["first"] | None = None
    image_uses: tuple[ImageUse, ...] = Field(default=(), max_length=8)


def plan_scenes(facts: Facts, call: PlanScenes) -> VideoOutcome:
    """Return the plan to write."""
    wrong = (
        no_room(facts, call.count, MAX_SCENES)
        or placement_missing(facts, call.after)
        or misfit(facts, (), call.image_uses)
    )
    if wrong is not None:
        return wrong
    ids = facts.new_scene_ids[: call.count]
    work = WritePlan(
        scene_ids=ids,
        after=call.after,
        instruction=call.instruction,
        seconds=call.seconds,
        image_uses=call.image_uses,
    )
    return done(f"Add {call.count} scenes", work, changes=tuple(Change(kind="scene", id=each) for each in ids))


TOOL: Tool[Facts, VideoEffect] = Tool(
    "planScenes",
    "Plan and add several scenes at once, such as a whole video from one sentence.",
    PlanScenes,
    plan_scenes,
    lambda _: "Plan scenes",
)
