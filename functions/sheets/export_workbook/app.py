"""State ExportWorkbook: write a version of the workbook to a file to download."""

from typing import Any

from shared.apps.sheets.bootstrap import export_workbook
from shared.apps.sheets.pipeline import SHEET_EXPORT
from shared.bootstrap import run_stage
from shared.jobs.invocation import StageInvocation
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    return run_stage(SHEET_EXPORT, export_workbook(), invocation).model_dump()
