"""Another format for a project: every scene is played in it first, and keeps its length in seconds."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from shared.apps.video.building import ProjectBuilds
from shared.apps.video.changes import PutScene, RemoveScene, SetProject
from shared.apps.video.code_text import described
from shared.apps.video.facts import Facts
from shared.apps.video.models import BuiltChange, PlayedScene
from shared.apps.video.scene import MAX_FRAMES, Format, SceneDraft
from shared.apps.video.tools.effects import VideoOutcome, WriteScene
from shared.apps.video.writing import Made
from shared.errors import ChangeRefused


def format_after(facts: Facts, outcomes: Sequence[VideoOutcome]) -> Format:
    """Return the format that the project has when all effects are made."""
    set_to = [each.format for each in _effects(outcomes) if isinstance(each, SetProject) and each.format is not None]
    return set_to[-1] if set_to else facts.format


def scaled(draft: SceneDraft, before: Format, after: Format) -> SceneDraft:
    """Return the draft with the frames that are as many seconds in the other format.

    Raises ChangeRefused if these are more than a scene may have.
    """
    if before.fps == after.fps:
        return draft
    frames = max(1, math.floor(draft.duration_in_frames * after.fps / before.fps + 0.5))
    if frames > MAX_FRAMES:
        raise ChangeRefused(
            f"the scene “{draft.name}” would have {frames} frames at {after.fps} frames per second, and a scene has "
            f"at most {MAX_FRAMES}; make it shorter first: nothing was changed"
        )
    return draft.model_copy(update={"duration_in_frames": frames})


async def replayed(
    builds: ProjectBuilds, facts: Facts, after: Format, outcomes: Sequence[VideoOutcome]
) -> tuple[list[Made], list[PlayedScene]]:
    """Play each scene in the format `after` that the effects neither write nor change nor remove.

    Return the changes of those that need a new version, which has their new number of frames, and the versions of the
    others, which are as they were and have now been played in this format too. `builds` builds for `after`.

    Raises ChangeRefused with all errors of the first scene that does not play.
    """
    touched = {each.scene_id for each in _effects(outcomes) if isinstance(each, PutScene | RemoveScene | WriteScene)}
    kept = [each.entry for each in facts.scenes if each.scene_id not in touched]
    versions = await asyncio.to_thread(builds.stored, [(each.scene_id, each.version) for each in kept])
    made, played = list[Made](), list[PlayedScene]()
    for entry in kept:
        stored = versions[entry.scene_id, entry.version]
        draft = scaled(stored.draft, facts.format, after)
        report = await builds.build_scene(draft)
        if report.build is None:
            raise ChangeRefused(
                f"{facts.label(entry.scene_id)} does not play at {after}, so the project keeps its format; change the "
                f"scene or remove it, then send the message again:\n{described(report.errors)}"
            )
        if draft == stored.draft:
            played.append(PlayedScene(scene_id=entry.scene_id, version=entry.version))
        else:
            put = PutScene(scene_id=entry.scene_id, base_version=entry.version, draft=draft)
            made.append(Made(BuiltChange(change=put, build=report.build, format=after), report.images))
    return made, played


def _effects(outcomes: Sequence[VideoOutcome]) -> list[object]:
    return [effect for outcome in outcomes for effect in outcome.effects]
