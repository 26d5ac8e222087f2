"""State SaveScenes: make the changes of a message a revision of its project, and store the answer."""

from typing import Any

from shared.apps.video.bootstrap import save_scenes
from shared.apps.video.pipeline import VIDEO_CHAT
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(VIDEO_CHAT, save_scenes(), invocation).model_dump()
