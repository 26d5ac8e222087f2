"""The engine with time limits that a busy machine keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.apps.sheets.engine.process import EngineLimits, ProcessEngine
from tests.patience import ALLOWANCE


def patient_engine(**limits: Any) -> ProcessEngine:
    """Return the engine for a test that is about no limit, or about these fields of `EngineLimits` only."""
    return ProcessEngine(replace(EngineLimits().times(ALLOWANCE), **limits))
