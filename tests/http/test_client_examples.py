"""The examples on the pages of the clients run as they are on the page, against the local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.model.control import ModelControl
from tests.api_user import ApiUser
from tests.code_blocks import program_of

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_python_client_runs(
    user: ApiUser, model: ModelControl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "clients/python/README.md"
    monkeypatch.setenv("API", user.stack.api_url)
    monkeypatch.setenv("TOKEN", user.token)
    model.script(match="Cart page", pause_after=5, times=1)  # the job that the page cancels does not end before

    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(program_of(page, "python"), page, "exec"), names)

    printed = capsys.readouterr().out.splitlines()
    ends = [line for line in printed if " complete " in line]
    assert len(ends) == 1
    last, _, length = ends[0].split()
    assert int(length) > 0
    assert [line for line in printed if line.endswith(("suggestions", "results", "resumption")) or " to " in line] == [
        "3 suggestions",
        f"3 to {last}",
        "2 results",
        "3 suggestions after the resumption",
    ]
    assert any(line.startswith("422 VALIDATION_FAILED ['input.pageOrComponent: ") for line in printed)
