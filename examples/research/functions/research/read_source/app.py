"""State ReadSource: let the model note what one source says about the question."""

from typing import Any

from shared.apps.research.pipeline import PIPELINE
from shared.apps.research.stages import ReadSource
from shared.bootstrap import chat_model, run_part
from shared.jobs.invocation import PartInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = PartInvocation.model_validate(event)
    done = run_part(PIPELINE, ReadSource(chat_model()), invocation)
    return done.model_dump()
