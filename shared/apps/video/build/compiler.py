"""The port of the compiler: it turns TSX into an ES module, or names what is wrong with its syntax."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.apps.video.build.report import BuildError
from shared.apps.video.build.source import Source


@dataclass(frozen=True, slots=True)
class Compiled:
    """An ES module: `code`, and `mapped_code`, the same with an inline source map behind it."""

    code: str
    mapped_code: str


class Compiler(Protocol):
    """Compiles TSX."""

    @property
    def version(self) -> str:
        """Return name and version: other versions may compile to other code."""

    async def compile(self, source: Source, folder: Path) -> Compiled | BuildError:
        """Compile, or return the first fault of the syntax. `folder` is empty but for the files of this build.

        Raises:
            CompilerMissing: the compiler is not installed.
            StorageUnavailable: the compiler could not be started.
        """
