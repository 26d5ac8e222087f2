"""State WriteReport: let the model work with its tools, and stream its answer."""

from typing import Any

from shared.apps.research.pipeline import PIPELINE
from shared.apps.research.stages import WriteReport
from shared.bootstrap import chat_model, run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = run_stage(PIPELINE, WriteReport(chat_model()), invocation)
    return done.model_dump()
