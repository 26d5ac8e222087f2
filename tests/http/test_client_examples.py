"""The examples on the pages of the clients run as they are on the page, against the local stack."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from local.model.control import ModelControl
from tests.api_user import ApiUser
from tests.code_blocks import program_of
from tests.javascript.node import CLIENT, ROOT, TYPESCRIPT, find_node, install_client, pass_all

RUNNER = ROOT / "tests/javascript/react/examples.mjs"
NEEDED = [TYPESCRIPT / "node_modules" / name for name in ("react-dom", "ai", "@ai-sdk/react", "esbuild", "happy-dom")]


@pytest.fixture(autouse=True)
def _as_a_reader(user: ApiUser, model: ModelControl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the pages read from the environment, and let the job that they cancel not end before."""
    monkeypatch.setenv("API", user.stack.api_url)
    monkeypatch.setenv("TOKEN", user.token)
    model.script(match="Cart page", pause_after=5, times=1)


def test_the_page_of_the_python_client_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = ROOT / "clients/python/README.md"

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


def test_the_page_of_the_javascript_client_runs(tmp_path: Path) -> None:
    node = find_node(*NEEDED)
    install_client(tmp_path)
    shutil.copy(RUNNER, tmp_path)
    (tmp_path / "page.tsx").write_text(program_of(CLIENT / "README.md", "js", "tsx"))

    pass_all(node, RUNNER.name, 1, cwd=tmp_path)
