"""State ArrangeIdeas: let the model rank or group the ideas, if the job's input asks for it."""

from typing import Any

from shared.apps.ideation.pipeline import PIPELINE
from shared.apps.ideation.stages import ArrangeIdeas
from shared.bootstrap import chat_model, run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = run_stage(PIPELINE, ArrangeIdeas(chat_model()), invocation)
    return done.model_dump()
