"""Folders for temporary files; those of a process that was killed are removed by the next one that makes a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def new_folder(kind: str, parent: Path | None = None) -> Path:
    """Return a new empty folder. Remove those of the same kind whose processes have ended.

    `parent` is the folder for temporary files unless it is given. The caller removes the folder.
    """
    within = parent or Path(tempfile.gettempdir())
    prefix = f"millrace-{kind}-"
    for folder in within.glob(f"{prefix}*"):
        if not _is_alive(folder.name.removeprefix(prefix).partition("-")[0]):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=within))


@contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """Yield such a folder, and remove it at the end of the block."""
    folder = new_folder(kind)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
