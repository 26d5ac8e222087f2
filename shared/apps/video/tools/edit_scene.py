"""The tool `editScene`: change the code of one scene, by an instruction or with own code."""

from __future__ import annotations

from pydantic import Field, model_validator

from shared.apps.video.facts import Facts
from shared.apps.video.ids import SceneId
from shared.apps.video.tools.effects import (
    ImageUse,
    Instruction,
    VideoEffect,
    VideoOutcome,
    WriteScene,
    check_something_to_write,
    done,
    misfit,
    version_moved,
)
from shared.schema import Schema
from shared.tools.result import Change
from shared.tools.tool import Tool


class EditScene(Schema):
    """Change one scene as the instruction says. `baseVersion` refuses the call if the scene has another version."""

    scene_id: SceneId
    base_version: int | None = Field(default=None, ge=1)
    instruction: Instruction | None = None
    references: tuple[SceneId, ...] = Field(default=(), max_length=4)
    image_uses: tuple[ImageUse, ...] = Field(default=(), max_length=8)
    rewrite: bool = False
    tsx_code: str | None = None

    _has_something_to_write = model_validator(mode="after")(check_something_to_write)


def edit_scene(facts: Facts, call: EditScene) -> VideoOutcome:
    """Return the scene to write, on the version that it has."""
    wrong = version_moved(facts, call.scene_id, call.base_version) or misfit(facts, call.references, call.image_uses)
    scene = facts.scene(call.scene_id)
    if wrong is not None or scene is None:
        return wrong or version_moved(facts, call.scene_id, None) or done("")
    work = WriteScene(
        scene_id=call.scene_id,
        base_version=scene.entry.version,
        name=scene.name,
        instruction=call.instruction or "",
        references=call.references,
        image_uses=call.image_uses,
        rewrite=call.rewrite,
        tsx_code=call.tsx_code,
    )
    return done(f"Change {facts.label(call.scene_id)}", work, changes=(Change(kind="scene", id=call.scene_id),))


TOOL: Tool[Facts, VideoEffect] = Tool(
    "editScene",
    "Change how one existing scene looks or moves: layout, style, colours, animation, content.",
    EditScene,
    edit_scene,
    lambda _: "Change a scene",
)
