"""State RecordFailure of every pipeline: mark the job as failed, and append the event that tells its watchers why."""

from typing import Any

from shared.bootstrap import core
from shared.jobs.invocation import FailureInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = FailureInvocation.model_validate(event)
    done = core().job_completion.record_failure(invocation)
    return done.model_dump()
