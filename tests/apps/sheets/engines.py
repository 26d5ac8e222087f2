"""The engine with time limits that a busy machine keeps."""

from __future__ import annotations

from shared.apps.sheets.engine.process import EngineLimits, ProcessEngine
from tests.patience import ALLOWANCE


def patient_engine() -> ProcessEngine:
    """Return the engine for a test that is not about a time limit."""
    return ProcessEngine(EngineLimits().times(ALLOWANCE))
