"""Folders of processes that were killed are removed, and those of processes that run are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.temporary_folders import new_folder, temporary_folder

LEAVES = "import os; from shared.temporary_folders import new_folder; new_folder('scene'); os.kill(os.getpid(), 9)"


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one(parent: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(parent)}
    subprocess.run([sys.executable, "-c", LEAVES], env=environment, check=False)
    (left,) = parent.iterdir()
    (left / "scene.js").write_text("x")

    with temporary_folder("scene") as folder:
        assert list(parent.iterdir()) == [folder]

    assert list(parent.iterdir()) == []


def test_the_folders_of_running_processes_and_of_other_kinds_stay(parent: Path) -> None:
    mine, others, another = new_folder("scene"), parent / f"millrace-scene-{os.getppid()}-x", parent / "millrace-x-1-x"
    others.mkdir()
    another.mkdir()
    new = new_folder("scene")
    assert sorted(parent.iterdir()) == sorted([mine, others, another, new])


def test_a_folder_is_removed_if_its_block_fails(parent: Path) -> None:
    with pytest.raises(FileNotFoundError), temporary_folder("scene") as folder:
        (folder / "missing").read_text()
    assert list(parent.iterdir()) == []
