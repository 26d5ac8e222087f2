"""State CompleteJob of every pipeline: the job is completed, its watchers are told."""

from typing import Any

from shared.bootstrap import core
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = core().job_completion.complete(invocation)
    return done.model_dump()
