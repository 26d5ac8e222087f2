"""How long tests wait for what must happen."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 240.0
"""Seconds. It ends a test that hangs; on a busy machine everything takes ten times as long, and must pass."""

ALLOWANCE: Final = 20
"""The `allowance` of local stacks whose test is not about a time limit."""

WITHOUT_TOKEN_TIMEOUT: Final = {"MODEL_TOKEN_TIMEOUT_SECONDS": "3600"}
"""Overrides of function variables for stacks whose model hangs or pauses while a test does its work."""
