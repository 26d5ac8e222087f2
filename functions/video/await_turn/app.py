"""State AwaitTurn: wait until the render is one of its owner's oldest two."""

from typing import Any

from shared.apps.video.bootstrap import await_turn
from shared.apps.video.pipeline import RENDER
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(RENDER, await_turn(), invocation).model_dump()
