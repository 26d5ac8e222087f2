"""Copy the repository, to add an application to the copy and run commands there."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.layout import ROOT
from tests.patience import PATIENCE

_LINKED = (".venv", ".venv-sam", "tests/model_oracle/node_modules")
"""What git ignores and commands need."""


def copy_of_the_repository(folder: Path) -> Path:
    """Copy the repository as it would be committed now to this empty folder, commit it there, and return the folder.

    The byte code goes with its modules: a copy keeps their times, by which Python checks it.
    """
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.exists():
            shutil.copy2(source, target)
            _copy_byte_code(source, target)
    for name in _LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "-m", "test: copy")
    return folder


def _copy_byte_code(source: Path, target: Path) -> None:
    if source.suffix != ".py":
        return
    compiled = Path(importlib.util.cache_from_source(str(source)))
    if compiled.exists():
        copied = Path(importlib.util.cache_from_source(str(target)))
        copied.parent.mkdir(exist_ok=True)
        shutil.copy2(compiled, copied)


def git(folder: Path, *arguments: str) -> str:
    return run(folder, "git", *arguments)


def run(folder: Path, *command: str) -> str:
    """Run a command in the copy, and return what it prints. It must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=4 * PATIENCE, env=environment
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def make(folder: Path, *arguments: str) -> str:
    """Run make with this environment, which is complete whatever its age."""
    environments = [option for name in (".venv", ".venv-sam", ".venv-checkov") for option in ("-o", f"{name}/.synced")]
    return run(folder, "make", *environments, "CI=", *arguments)  # without CI, checkov may be missing


def changed(folder: Path) -> set[str]:
    """Return the paths that git says have changed or are new."""
    status = git(folder, "status", "--porcelain", "--untracked-files=all")
    return {line[3:] for line in status.splitlines()}
