"""State RenderChunk: render one chunk of a video."""

from typing import Any

from shared.apps.video.bootstrap import render_chunk
from shared.apps.video.pipeline import RENDER
from shared.bootstrap import run_part
from shared.jobs.invocation import PartInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return run_part(RENDER, render_chunk(), PartInvocation.model_validate(event)).model_dump()
