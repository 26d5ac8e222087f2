"""State PrepareMessage: check the session, and gather what the model must know of the workbook and the conversation."""

from typing import Any

from shared.apps.sheets.bootstrap import prepare_message
from shared.apps.sheets.pipeline import SHEET_CHAT
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(SHEET_CHAT, prepare_message(), invocation).model_dump()
