"""Follow docs/adding-an-application.md to the letter, in a copy of the repository."""

from __future__ import annotations

import filecmp
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.layout import ROOT
from tests.local.repository_copy import changed, copy_of_the_repository, git, make, run

PAGE = (ROOT / "docs/adding-an-application.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line[2:], comments=True) for block in BLOCKS for line in block.splitlines()]
"""The page's commands: `["make", "template"]`."""

EXAMPLE = ROOT / "examples/haiku"
OWN = (
    *("shared/apps/haiku/", "functions/haiku/", "events/haiku/", "tests/apps/haiku/"),
    *("infra/apps/haiku.yaml", "statemachines/haiku.asl.yaml"),
)
"""What belongs to the application."""
GENERATED = (
    *(
        "template.yaml",
        "docs/api/openapi.json",
        "docs/api/types.ts",
        "docs/permissions.json",
        "tools/first_fields.json",
    ),
    *(f"clients/python/src/millrace_client/{name}.py" for name in ("models", "_async/operations", "_sync/operations")),
)

SKIPPED = (["make", "format", "check", "validate"], ["make", "test", "TESTS=tests/contract tests/apps/haiku"])
"""Commands that take minutes for the whole repository; CHECKS and CONTRACTS are their parts about an application."""
CODE = "shared/apps/haiku functions/haiku tests/apps/haiku"
CHECKS = (
    f"ruff check --quiet {CODE}",
    f"ruff format --check --quiet {CODE}",
    "lint-imports --no-logo",
    "python -m tools.infra --check",
    f"python -m tools.check_prose --strict {CODE}",
)
CONTRACTS = [f"tests/contract/test_{name}.py" for name in ("functions", "pipelines", "events")]
"""Not api_documents: `make openapi`, which is one of the page's commands, has just written what it compares."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_repository(tmp_path_factory.mktemp("copy"))


def test_an_application_that_the_page_adds_works_and_changes_no_file_of_others(copy: Path) -> None:
    assert [command for command in COMMANDS if command in SKIPPED] == list(SKIPPED)
    for command in COMMANDS:
        if command not in SKIPPED:
            make(copy, *command[1:])

    git(copy, "add", "--intent-to-add", ".")
    for check in CHECKS:
        run(copy, *shlex.split(check))
    validated = run(copy, "python", "-m", "tools.validate_template", "--only", "rules", "--only", "permissions")
    assert validated.splitlines() == ["rules: ok", "permissions: ok"]
    tests = ["tests/apps/haiku", "tests/handlers/test_every_event.py", *CONTRACTS]
    run(
        copy,
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "haiku or every_event",
        *tests,
    )

    assert "interface HaikuJobRequest" in (copy / "docs/api/types.ts").read_text()
    others = {path for path in changed(copy) if not path.startswith(OWN)}
    assert others == set(GENERATED)


def test_an_application_with_the_examples_names_is_the_example(copy: Path) -> None:
    if not (copy / "shared/apps/haiku").exists():
        make(copy, *COMMANDS[0][1:])
    files = [path.relative_to(EXAMPLE) for path in EXAMPLE.rglob("*") if path.is_file() and path.parent != EXAMPLE]

    assert files
    assert [str(file) for file in files if not filecmp.cmp(EXAMPLE / file, copy / file, shallow=False)] == []


def test_several_stages_follow_each_other(copy: Path) -> None:
    make(copy, "application", "NAME=sonnet", "STAGES=write_sonnet polish_sonnet")

    machine = (copy / "statemachines/sonnet.asl.yaml").read_text()
    assert re.findall(r"^(?:StartAt| {4}Next): (?!Record|Attempt|JobFailed)(\w+)$", machine, re.MULTILINE) == [
        "WriteSonnet",
        "PolishSonnet",
        "CompleteJob",
    ]
    assert 'stages=("write_sonnet", "polish_sonnet"),' in (copy / "shared/apps/sonnet/pipeline.py").read_text()
    own = ["shared/apps/sonnet", "functions/sonnet", "tests/apps/sonnet"]
    run(copy, "ruff", "check", "--quiet", *own)
    run(copy, "ruff", "format", "--check", "--quiet", *own)
    assert run(copy, "python", "-m", "tools.validate_template", "--only", "rules") == "rules: ok\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["haiku", "write"], "write: a stage is a verb and a noun in snake_case, such as write_haiku"),
        (["Haiku", "write_haiku"], "Haiku: an application's name is snake_case"),
        (["suggestion", "write_haiku"], "statemachines/suggestion.asl.yaml is there already"),
        (["suggestions", "write_haiku"], "shared/apps/suggestions is there already"),
        (["agents", "write_haiku"], "functions/agents is there already"),
        (["haiku", "generate_suggestions"], "a function generate_suggestions is there already"),
    ],
)
def test_names_that_are_not_valid_or_are_taken_are_refused(arguments: list[str], complaint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.new_application", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (1, complaint)
