"""Event of a failed, timed out or stopped execution: fail its job, if the job has not ended."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    ended = core().lost_jobs.execution_ended(str(event["detail"]["name"]))
    return {"ended": ended}
