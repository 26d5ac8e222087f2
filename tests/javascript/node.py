"""Runs scripts under Node, with the packages of `tests/typescript`, or skips a test where they are missing."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients/javascript"
TYPESCRIPT = ROOT / "tests/typescript"
OLDEST_NODE = 20
NO_PACKAGES = "the packages of npm are not installed; run `make lanes`, or `npm ci --prefix tests/typescript`"


def find_node(*needed: Path, otherwise: str = NO_PACKAGES) -> str:
    """Return the path of Node. If Node or a needed file is missing, skip the test, or fail it in CI."""
    node = shutil.which("node")
    if node is not None and all(file.exists() for file in needed) and _version(node) >= OLDEST_NODE:
        return node
    if os.environ.get("CI") == "true":
        pytest.fail(otherwise)
    pytest.skip(otherwise)


@functools.cache
def _version(node: str) -> int:
    printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(printed.strip().lstrip("v").split(".")[0])


def link_packages(project: Path) -> None:
    """Give the project the packages of `tests/typescript`."""
    (project / "node_modules").mkdir(exist_ok=True)
    for module in (TYPESCRIPT / "node_modules").glob("[!.]*"):
        (project / "node_modules" / module.name).symlink_to(module)


def install_client(project: Path) -> Path:
    """Install the client's package in a project that has the packages, and return the package's folder."""
    link_packages(project)
    return shutil.copytree(CLIENT, project / "node_modules/@millrace/client")


def pass_all(node: str, script: str | Path, tests: int | None = None, *, cwd: Path | None = None) -> None:
    """Run a script of tests, all of which pass. `tests` is how many there are; None: at least one.

    It runs without `--test`, which would start a second process for the script.
    """
    command = [node, "--test-reporter=tap", str(script)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=cwd)

    assert ran.returncode == 0, ran.stdout
    passed = re.search(rf"\n# pass {tests or '[1-9][0-9]*'}\n", ran.stdout)
    assert passed, f"another number of tests has passed:\n{ran.stdout}"
