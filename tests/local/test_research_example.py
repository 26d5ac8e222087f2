"""Install examples/research in a copy of the repository, check it there, and run its tests."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.layout import ROOT
from tests.local.repository_copy import changed, copy_of_the_repository, git, make, run

OWN = tuple(
    f"{path.relative_to(ROOT / 'examples/research')}"
    for path in (ROOT / "examples/research").rglob("*")
    if path.is_file()
)
MODULES = "local/demo/apps/research.py local/model/answers/research.py"
CODE = f"shared/apps/research functions/research tests/apps/research {MODULES}"
CHECKS = (
    f"ruff check --quiet {CODE}",
    f"ruff format --check --quiet {CODE}",
    "lint-imports --no-logo",
    "python -m tools.infra --check",
    f"python -m tools.check_prose --strict {CODE}",
)
CONTRACTS = [f"tests/contract/test_{name}.py" for name in ("pipelines", "events")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_of_the_repository(tmp_path_factory.mktemp("copy"))
    make(folder, "application", "FROM=examples/research")
    git(folder, "add", "--intent-to-add", ".")
    return folder


def test_the_example_works_and_changes_no_file_of_others(copy: Path) -> None:
    for check in CHECKS:
        run(copy, *shlex.split(check))
    assert run(copy, "python", "-m", "tools.validate_template", "--only", "rules") == "rules: ok\n"
    tests = ["tests/apps/research", "tests/handlers/test_every_event.py", *CONTRACTS]
    run(copy, *shlex.split("python -m pytest -q -p no:cacheprovider -k"), "research or every_event", *tests)

    assert {path for path in changed(copy) if path not in OWN} == {"template.yaml"}


def install(*arguments: str) -> str:
    """Return what the tool complains of."""
    command = [sys.executable, "-m", "tools.new_application", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {1, 2}
    return done.stderr.strip()


def test_an_example_that_is_not_an_application_or_is_installed_is_refused(copy: Path) -> None:
    assert install("--from", "examples/curl") == "examples/curl is not an application: it has no folder shared/apps"
    assert "leave NAME and STAGES out" in install("--from", "examples/research", "research", "write_report")
    assert "name the application and its stages" in install("research")
    again = subprocess.run(
        [sys.executable, "-m", "tools.new_application", "--from", "examples/research"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.stderr.endswith(" is there already\n")
