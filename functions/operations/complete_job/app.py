"""State CompleteJob of every pipeline: mark the job as completed, and append the event that tells its watchers."""

from typing import Any

from shared.bootstrap import core
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = core().job_completion.complete(invocation)
    return done.model_dump()
