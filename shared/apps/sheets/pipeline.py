"""Define the pipelines of sheet chat; their state machines are statemachines/sheet_*.asl.yaml."""

from __future__ import annotations

from shared.apps.sheets.models import SheetLoadInput, WorkbookLoaded
from shared.jobs.pipeline import Pipeline

SHEET_LOAD = Pipeline(
    name="sheet_load",
    input_model=SheetLoadInput,
    result_model=WorkbookLoaded,
    stages=("inspect_workbook", "load_workbook"),
    run_seconds=3600,
    stage_seconds={"inspect_workbook": 40, "load_workbook": 130},
)
"""From an uploaded file to the first version of its session's workbook."""
