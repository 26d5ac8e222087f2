"""The naming chain's last link: every function has a test file of its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(app.parent.name for app in (ROOT / "functions").glob("*/app.py"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_function_has_a_test_file_of_its_name(function: str) -> None:
    assert list((ROOT / "tests").rglob(f"test_{function}.py"))
