"""Define the pipelines of sheet chat; their state machines are statemachines/sheet_*.asl.yaml."""

from __future__ import annotations

from shared.apps.sheets.models import (
    SheetAnswer,
    SheetChatInput,
    SheetExportInput,
    SheetLoadInput,
    WorkbookExported,
    WorkbookLoaded,
)
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

SHEET_EXPORT = Pipeline(
    name="sheet_export",
    input_model=SheetExportInput,
    result_model=WorkbookExported,
    stages=("export_workbook",),
    run_seconds=1800,
    stage_seconds={"export_workbook": 130},
    title=lambda asked: " ".join(filter(None, (asked.format.upper(), asked.sheet))),
)
"""From a version of a session's workbook to a file to download."""

SHEET_CHAT = Pipeline(
    name="sheet_chat",
    input_model=SheetChatInput,
    result_model=SheetAnswer,
    stages=("prepare_message", "answer_message"),
    run_seconds=3600,
    stage_seconds={"prepare_message": 40, "answer_message": 610},
    title=lambda asked: str(asked.text),
)
"""From a message about a session's workbook to its answer, and the versions that the answer makes."""
