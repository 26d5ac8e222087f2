"""State DecideTool: decide which tool a message asks for, or what to ask back."""

from typing import Any

from shared.apps.video.bootstrap import decide_tool
from shared.apps.video.pipeline import VIDEO_CHAT
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(VIDEO_CHAT, decide_tool(), invocation).model_dump()
