"""State ChooseSources: choose the sources of the library that fit the question best."""

from typing import Any

from shared.apps.research.pipeline import PIPELINE
from shared.apps.research.stages import ChooseSources
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = run_stage(PIPELINE, ChooseSources(), invocation)
    return done.model_dump()
