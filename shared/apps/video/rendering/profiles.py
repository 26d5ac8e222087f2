"""Make and remove the folders that browsers write to, also those of processes that were killed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from shared.temporary_folders import new_folder

LONGEST_PARENT: Final = 24
"""Most characters of the folder that they are made in.

Chromium makes a socket in its folder, and macOS takes 104 characters for the path of a socket.
"""

_SHORT: Final = Path("/tmp")  # noqa: S108 - mkdtemp makes folders in it that only this user can read
_TRIES: Final = 50
_PAUSE_SECONDS: Final = 0.02


def new_profile() -> Path:
    """Return a new empty folder. Remove those that processes left behind when they were killed."""
    return new_folder("browser", _parent())


def _parent() -> Path:
    """Return the folder for temporary files, or a shorter one if its path is too long for sockets."""
    parent = Path(tempfile.gettempdir())
    return _SHORT if len(str(parent)) > LONGEST_PARENT and os.access(_SHORT, os.W_OK) else parent


def remove_profile(folder: Path) -> None:
    """Remove the folder. A process of the browser that is about to end may write to it meanwhile."""
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE_SECONDS)
