"""How long tests wait for what must happen."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 240.0
"""Seconds. It ends a test that hangs; on a busy machine everything takes ten times as long, and must pass."""

ALLOWANCE: Final = 20
"""The `allowance` of local stacks whose test is not about a time limit."""
