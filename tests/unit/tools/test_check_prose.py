"""The prose check, which finds the words of its list in prose and not in code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.check_prose import PLAINER, findings, main


def found(path: str, source: str) -> list[tuple[int, str]]:
    """Return the line and the words of each finding."""
    return [(each.line, each.words) for each in findings(path, source)]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('"""Return anew."""\n', 1),
        ("import re\n\n# Write it anew.\n", 3),
        ('def f() -> None:\n    """Return.\n\n    Begin anew.\n    """\n', 4),
        ('LIMIT = 3\n"""How often it is tried anew."""\n', 2),
        ('raise ValueError("begin it anew")\n', 1),
        ('raise ValueError(f"begin {it} anew")\n', 1),
        ("def test_a_job_begins_anew() -> None: ...\n", 1),
        ("async def test_a_job_begins_anew() -> None: ...\n", 1),
    ],
)
def test_the_check_reads_the_prose_of_python_files(source: str, line: int) -> None:
    assert found("module.py", source) == [(line, "anew")]


@pytest.mark.parametrize(
    "source",
    ['WORDS = ("anew", "so many")\n', "anew = 1\n", "def begin_anew() -> None: ...\n", 'print("anew")\n'],
)
def test_the_check_does_not_read_python_code(source: str) -> None:
    assert found("module.py", source) == []


def test_the_check_reads_markdown_outside_code() -> None:
    page = "Begin anew.\n\n```sh\nanew\n```\n\nThe word `anew` and ``whoever`` are code.\n\nWhoever.\n"
    assert found("page.md", page) == [(9, "whoever"), (1, "anew")]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("template.yaml", "Key: value # a key of its own\n"),
        ("template.yaml", "# A key of its\n# own.\n"),
        ("page.js", "/** A key of\n * its own. */\n"),
        ("page.js", "// A key of its\n// own.\n"),
        ("module.py", "# A key of its\n# own.\n"),
        ("Makefile", "key: ## a key of its own\n"),
    ],
)
def test_a_phrase_is_found_across_the_lines_of_a_comment(path: str, source: str) -> None:
    assert found(path, source) == [(1, "of its own")]


def test_words_are_found_whole_and_in_any_case() -> None:
    assert found("page.md", "Stands. Grandstands, standstill.\n") == [(1, "stands")]


@pytest.mark.parametrize("word", PLAINER)
def test_every_word_of_the_list_is_found(word: str) -> None:
    assert found("page.md", f"It {word} it.\n") == [(1, word)]


@pytest.mark.parametrize("words", ["row C6", "rows F1", "Row B2"])
def test_ids_of_feature_rows_fail_the_check(words: str) -> None:
    (finding,) = findings("module.py", f"# As {words} says.\n")
    assert (finding.words, finding.fatal) == (words, True)


def test_a_list_of_feature_rows_fails_the_check() -> None:
    (finding,) = findings("page.md", "An agent (C22, B1) is kept. A key (S3) and an id (V3) are no rows.\n")
    assert (finding.words, finding.fatal) == ("(C22, B1)", True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


def track(repository: Path, path: str, text: str) -> None:
    (repository / path).write_text(text)
    subprocess.run(["git", "add", path], cwd=repository, check=True)


def test_a_warning_fails_only_a_strict_check(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    track(repository, "page.md", "One.\nBegin anew.\n")
    assert main([], root=repository) == 0
    assert capsys.readouterr().out.startswith("page.md:2: “anew” → again\n")
    assert main(["--strict"], root=repository) == 1


def test_a_feature_row_fails_every_check(repository: Path) -> None:
    track(repository, "page.md", "As row C6 says.\n")
    assert main([], root=repository) == 1


def test_the_check_prints_nothing_for_clean_files(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    track(repository, "page.md", "Begin again.\n")
    assert main(["--strict"], root=repository) == 0
    assert capsys.readouterr().out == ""


def test_only_tracked_files_below_the_named_paths_are_read(repository: Path) -> None:
    track(repository, "page.md", "Begin anew.\n")
    track(repository, "other.md", "Begin again.\n")
    (repository / "untracked.md").write_text("Begin anew.\n")
    assert main(["--strict", "other.md"], root=repository) == 0
    assert main(["--strict", "untracked.md"], root=repository) == 0
