"""The link check, which finds references to files, headings, names and Make targets that do not exist."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.check_links import Repository, broken, headings, main

FILES = {
    "Makefile": "build: ## build it\n\nbench-cold: build\n",
    ".gitignore": "target/\n",
    "template.yaml": "Key: JobsTable\n",
    "shared/jobs/event_log.py": "class EventLog:\n    def append_all(self) -> None: ...\n",
    "functions/console/static/client/view.js": "export const fold = 1;\n",
    "docs/other.md": "# Other\n\n## How it *works*, and why\n\n```sh\n# no heading\n```\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def found(root: Path, text: str) -> list[tuple[int, str, str]]:
    """Return the line, kind and reference of every broken reference in a page docs/page.md with this text."""
    (root / "docs/page.md").write_text(text)
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    return [(each.line, each.kind, each.reference) for each in broken(Repository(root), "docs/page.md")]


@pytest.mark.parametrize(
    "text",
    [
        "[other](other.md)",
        "[other](other.md#how-it-works-and-why)",
        "[here](#a-heading)\n\n# A heading\n",
        "[code](../shared/jobs)",
        "![picture](https://example.com/picture.png)",
        "`shared/jobs/event_log.py`, `shared/jobs/`, `shared/jobs`, `template.yaml`, `event_log.py`",
        "`client/view.js`, `event_<kind>.py`",
        "`shared/<package>/event_log.py`, `shared/*/event_log.py`",
        "`target/built.json`, `docs/target/`",
        "`EventLog`, `EventLog.append_all`, `append_all()`, `JobsTable`, `JOBS_TABLE`".replace(
            "JOBS_TABLE", "JOBSTABLE"
        ),
        '`make build`, `make bench-cold ARGS="--only x"`, `make JOBS=3 build`',
        "```sh\nmake build bench-cold   # make it\n```",
        "`GET /jobs/{jobId}`, `text/event-stream`, `a / b`, `https://example.com/x.md`, `EVT#<seq>`",
        "`POOL` is set.\n\n```sh\nexport POOL=1\n```",
    ],
)
def test_a_reference_to_something_that_exists_is_accepted(root: Path, text: str) -> None:
    assert found(root, text) == []


@pytest.mark.parametrize(
    ("text", "kind", "reference"),
    [
        ("[gone](gone.md)", "file", "gone.md"),
        ("[gone](other.md#gone)", "heading", "other.md#gone"),
        ("[gone](other.md#no-heading)", "heading", "other.md#no-heading"),
        ("[gone](#gone)", "heading", "#gone"),
        ("`shared/jobs/gone.py`", "path", "shared/jobs/gone.py"),
        ("`shared/gone`", "path", "shared/gone"),
        ("`shared/*/gone.py`", "path", "shared/*/gone.py"),
        ("`gone.yaml`", "path", "gone.yaml"),
        ("`client/gone.js`", "path", "client/gone.js"),
        ("`GoneLog`", "name", "GoneLog"),
        ("`EventLog.gone`", "name", "EventLog.gone"),
        ("`make gone`", "Make target", "gone"),
        ("`make bench-cold gone ARGS=1`", "Make target", "gone"),
    ],
)
def test_a_reference_to_something_that_does_not_exist_is_found(
    root: Path, text: str, kind: str, reference: str
) -> None:
    assert found(root, f"A page.\n\n{text}\n") == [(3, kind, reference)]


def test_the_check_reads_commands_in_a_code_block(root: Path) -> None:
    assert found(root, "```sh\nmake build\nmake gone  # not made\n```\n") == [(3, "Make target", "gone")]


def test_headings_get_the_anchors_of_github() -> None:
    assert headings("# A page's *name*: `code`, 1\n") == {"a-pages-name-code-1"}


def test_a_page_that_code_names_must_exist(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "shared/jobs/log.py").write_text('"""See docs/other.md.\n\nAnd docs/gone.md."""\n')
    found(root, "Nothing.\n")
    assert main(root) == 1
    assert capsys.readouterr().out == "shared/jobs/log.py:3: there is no page docs/gone.md\n"


def test_the_check_fails_when_something_is_broken(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(root, "Nothing.\n") == []
    assert main(root) == 0
    found(root, "`gone.yaml`\n")
    assert main(root) == 1
    assert capsys.readouterr().out == "docs/page.md:1: there is no path gone.yaml\n"
