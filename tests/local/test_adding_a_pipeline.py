"""docs/adding-a-pipeline.md, followed to the letter in a copy of the repository."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/adding-a-pipeline.md").read_text()
COMMAND = re.compile(r"^\$ make pipeline NAME=(?P<name>\S+) STAGES=(?P<stages>.+)$", re.MULTILINE)
FILE = re.compile(r"^`(?P<path>[\w/.]+)`:\n\n```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
CONTRACTS = ["functions", "pipelines", "events"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it would be committed now."""
    folder = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.exists():
            shutil.copyfile(source, target)
    return folder


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_pipeline_that_is_added_by_the_page_runs_and_fits(copy: Path) -> None:
    (command,) = COMMAND.finditer(PAGE)
    run(copy, "-m", "tools.new_pipeline", command["name"], *shlex.split(command["stages"]))
    files = {found["path"]: found["text"] for found in FILE.finditer(PAGE)}
    for path, text in files.items():
        (copy / path).parent.mkdir(exist_ok=True)
        (copy / path).write_text(text)
    tests = [path for path in files if path.startswith("tests/")]
    assert len(files) - len(tests) == 4

    run(copy, "-m", "tools.openapi")
    run(copy, "-m", "tools.typescript")
    assert "interface HaikuJobRequest" in (copy / "docs/api/types.ts").read_text()
    assert run(copy, "-m", "tools.validate_template", "--only", "rules").strip() == "rules: ok"
    contracts = [f"tests/contract/test_{name}.py" for name in CONTRACTS]
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *contracts, *tests)


def test_several_stages_follow_each_other(copy: Path) -> None:
    run(copy, "-m", "tools.new_pipeline", "sonnet", "write_sonnet", "polish_sonnet")
    machine = (copy / "statemachines/sonnet.asl.yaml").read_text()
    assert re.findall(r"^(?:StartAt| {4}Next): (?!Record|Attempt|JobFailed)(\w+)$", machine, re.MULTILINE) == [
        "WriteSonnet",
        "PolishSonnet",
        "CompleteJob",
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["haiku", "write"], "write: a stage is a verb and a noun in snake_case, such as write_haiku"),
        (["Haiku", "write_haiku"], "Haiku: a pipeline's name is snake_case"),
        (["suggestion", "write_haiku"], "statemachines/suggestion.asl.yaml is there already"),
        (["haiku", "generate_suggestions"], "a function generate_suggestions is there already"),
    ],
)
def test_names_that_do_not_do_are_refused(arguments: list[str], complaint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.new_pipeline", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (1, complaint)
