"""State PrepareIdeas: decide how many ideas each genre gets."""

from typing import Any

from shared.apps.ideation.pipeline import PIPELINE
from shared.apps.ideation.stages import PrepareIdeas
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = run_stage(PIPELINE, PrepareIdeas(), invocation)
    return done.model_dump()
