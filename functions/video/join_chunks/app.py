"""State JoinChunks: join the files of the chunks to one video."""

from typing import Any

from shared.apps.video.bootstrap import join_chunks
from shared.apps.video.pipeline import RENDER
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(RENDER, join_chunks(), invocation).model_dump()
