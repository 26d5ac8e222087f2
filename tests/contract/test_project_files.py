"""Hooks, code owners, the changelog and the indexes name only files and targets that exist."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOKS = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
}
COMMIT_FORM = re.compile(HOOKS["commit-form"]["entry"], re.MULTILINE | re.DOTALL)


def test_hooks_call_only_make_targets() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {hook["language"] for hook in HOOKS.values()} <= {"system", "pygrep"}
    commands = [hook["entry"].split() for hook in HOOKS.values() if hook["language"] == "system"]
    assert commands
    assert [command for command in commands if command[0] != "make" or command[1] not in targets] == []


@pytest.mark.parametrize(
    "message",
    [
        "reader: sync late watchers on the next delta\n",
        "shared/log: append in batches\n\nThe body says why, in lines of any length" + " and more" * 20 + ".\n",
        "x: " + "y" * 69,
        'Revert "reader: sync late watchers on the next delta"\n',
    ],
)
def test_the_hook_accepts_a_valid_commit_message(message: str) -> None:
    assert COMMIT_FORM.search(message)


@pytest.mark.parametrize(
    "message", ["Sync late watchers\n", "reader: sync late watchers.\n", "x: " + "y" * 70, "\nreader: sync watchers\n"]
)
def test_the_hook_refuses_an_invalid_commit_message(message: str) -> None:
    assert not COMMIT_FORM.search(message)


def test_code_owners_names_only_existing_paths() -> None:
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    patterns = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert [each for each in patterns if not (ROOT / each.strip("/")).exists() and each != "*"] == []


def test_every_link_leads_to_a_file_of_the_repository() -> None:
    """Git keeps a link to a folder of one machine like a file, and the link breaks in every clone."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    links = [ROOT / name for name in filter(None, listed.split("\0")) if (ROOT / name).is_symlink()]
    leaving = [link for link in links if not link.resolve().is_relative_to(ROOT) or link.readlink().is_absolute()]
    assert [str(link.relative_to(ROOT)) for link in leaving] == []


def test_the_changelog_has_an_unreleased_section_and_names_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert "\n## Unreleased\n" in text
    assert version in text


def test_the_index_names_every_page_of_the_documentation() -> None:
    docs = ROOT / "docs"
    linked = {(docs / link).resolve() for link in re.findall(r"\]\(([^)#]+)\)", (docs / "index.md").read_text())}
    pages = [page for folder in ("docs", ".", "clients/*", "examples", "tests") for page in ROOT.glob(f"{folder}/*.md")]
    missing = sorted(str(page.relative_to(ROOT)) for page in pages if page not in linked)
    assert missing == ["docs/index.md"]


def test_the_index_of_decisions_has_each_title_status_and_date() -> None:
    folder = ROOT / "docs/decisions"
    rows = []
    for page in sorted(folder.glob("0*.md")):
        head = re.match(r"# (\d{4}): (.+)\n\nStatus: (.+) · (\d{4}-\d\d-\d\d)\n", page.read_text())
        assert head, f"{page.name} begins with a title, as in `# 0001: Title`, and a line `Status: accepted · date`"
        number, title, status, date = head.groups()
        rows.append(f"| [{number}]({page.name}) | {title} | {status} | {date} |")
        assert page.name.startswith(f"{number}-")
    assert len({page.name[:4] for page in folder.glob("0*.md")}) == len(rows), "two decisions have one number"
    assert re.findall(r"^\| \[.*$", (folder / "README.md").read_text(), re.MULTILINE) == rows
