"""State PlanRender: freeze what is rendered, and divide it into chunks."""

from typing import Any

from shared.apps.video.bootstrap import plan_render
from shared.apps.video.pipeline import RENDER
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(RENDER, plan_render(), invocation).model_dump()
