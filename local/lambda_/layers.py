"""Find the packages of layers that this machine keeps apart, because few functions need them and they are large."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from local.template.template import Function


def packages_of(functions: Iterable[Function]) -> list[Path]:
    """Return the folders of packages that these functions have besides those of this process.

    The packages of `layers/video` are in `.venv-video`, in the form of a layer; without this folder, they are either
    installed with all others, or missing.
    """
    folders = dict.fromkeys(folder for function in functions for folder in function.layer_folders)
    found = (folder.parent.parent / f".venv-{folder.name}" for folder in folders)
    return [path for path in found if path.is_dir()]
