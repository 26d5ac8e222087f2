"""State WriteHaiku: let the model write a haiku, and stream its output."""

from typing import Any

from shared.apps.haiku.pipeline import PIPELINE
from shared.apps.haiku.stages import WriteHaiku
from shared.bootstrap import chat_model, run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = run_stage(PIPELINE, WriteHaiku(chat_model()), invocation)
    return done.model_dump()
