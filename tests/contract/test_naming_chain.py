"""The naming chain's last link: every function has a test file of its own name."""

from __future__ import annotations

import pytest

from tests.layout import MODULES, ROOT


@pytest.mark.parametrize("function", MODULES)
def test_the_function_has_a_test_file_of_its_name(function: str) -> None:
    assert list((ROOT / "tests").rglob(f"test_{function}.py"))
