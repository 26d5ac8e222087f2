"""State LoadWorkbook: load the inspected file into the engine, and store the session's first version."""

from typing import Any

from shared.apps.sheets.bootstrap import load_workbook
from shared.apps.sheets.pipeline import SHEET_LOAD
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(SHEET_LOAD, load_workbook(), invocation).model_dump()
