"""The tool `deleteScene`: remove scenes. Their versions stay, so an undo brings them back."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.apps.video.changes import RemoveScene
from shared.apps.video.facts import Facts
from shared.apps.video.ids import SceneId
from shared.apps.video.scene import MAX_SCENES
from shared.apps.video.tools.effects import VideoEffect, VideoOutcome, done, scene_missing
from shared.schema import Schema
from shared.tools.result import Change
from shared.tools.tool import Tool


class DeleteScene(Schema):
    """Remove these scenes; an id that is named twice counts once."""

    scene_ids: Annotated[tuple[SceneId, ...], Field(min_length=1, max_length=MAX_SCENES)]


def delete_scene(facts: Facts, call: DeleteScene) -> VideoOutcome:
    """Return the removals, each on the version that the scene has."""
    removals = []
    for scene_id in dict.fromkeys(call.scene_ids):
        scene = facts.scene(scene_id)
        if scene is None:
            return scene_missing(facts, scene_id)
        removals.append(RemoveScene(scene_id=scene_id, base_version=scene.entry.version))
    labels = " and ".join(facts.label(each.scene_id) for each in removals[:3])
    more = f" and {len(removals) - 3} more" if len(removals) > 3 else ""
    changed = tuple(Change(kind="scene", id=each.scene_id) for each in removals)
    return done(f"Delete {labels}{more}", *removals, changes=changed)


TOOL: Tool[Facts, VideoEffect] = Tool(
    "deleteScene", "Remove one or more scenes.", DeleteScene, delete_scene, lambda _: "Delete scenes"
)
