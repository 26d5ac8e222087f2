"""Find the packages that build scenes, which only the functions and machines that build scenes have."""

from __future__ import annotations

import functools
import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import Final

from shared.errors import CompilerMissing

PACKAGES: Final = ("deno", "tree_sitter", "tree_sitter_typescript")
"""The modules of the packages that building needs."""


def is_installed() -> bool:
    """Return whether this machine can build scenes."""
    return all(importlib.util.find_spec(package) is not None for package in PACKAGES)


def require() -> None:
    """Raise CompilerMissing, which names what to install, if this machine cannot build scenes."""
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        names = ", ".join(package.replace("_", "-") for package in missing)
        raise CompilerMissing(
            f"scenes cannot be built here, because packages are missing: {names}; run `make video`, and start again"
        )


@functools.cache
def deno_program() -> Path:
    """Return the compiler's program. Raises CompilerMissing."""
    require()
    spec = importlib.util.find_spec("deno")
    folder = Path((spec and spec.origin) or "").parent.parent
    program = folder / "bin" / "deno"  # where `pip install --target` and the layer have a package's programs
    if not program.is_file():
        raise CompilerMissing(f"scenes cannot be built here: {program} is missing; run `make video`, and start again")
    return program


@functools.cache
def deno_version() -> str:
    """Return the version of the compiler's package. Raises CompilerMissing."""
    require()
    return version("deno")
