"""Schedule SweepJobs, every few minutes: end the live jobs that nothing else will end."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.invocation import observed


@observed
def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    return core().job_sweep.run().model_dump(mode="json")
