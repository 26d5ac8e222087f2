"""What a build found: errors with the line and column of the TSX, or the compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import Field

from shared.apps.video.scene import Build, Format
from shared.schema import Schema

MOST_ERRORS = 20
"""How many errors a report names at most."""


class BuildError(Schema):
    """One fault of the source. `line` and `column` count from 1, in the TSX as it was written; None if it has no place.

    `kind` says what found it: a limit, a rule about the source, the compiler, the type check, or the test render.
    `rule` is a short name in kebab-case, such as `no-network`. `excerpt` is the line of the source.
    """

    kind: Literal["limit", "lint", "syntax", "name", "runtime"]
    rule: str
    message: str
    line: int | None = Field(default=None, ge=1)
    column: int | None = Field(default=None, ge=1)
    excerpt: str | None = None


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What is to be built: a scene, or with `is_component` a component.

    `props` are the values with which the test render plays it, besides its own defaults. `images` are the ids of the
    project's images. `components` are the compiled modules of the project's components by name. At a `playback_rate` of
    2 the scene's own time passes twice as fast.
    """

    tsx_code: str
    duration_in_frames: int
    format: Format
    props: Mapping[str, Any]
    images: frozenset[str] = frozenset()
    components: Mapping[str, str] | None = None
    is_component: bool = False
    playback_rate: float = 1


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The result of a build: `build` if there are no `errors`. `warnings` do not prevent it.

    `images` are the ids of the images that the code shows. `milliseconds` says how long each step took, by its name.
    """

    build: Build | None
    errors: Sequence[BuildError] = ()
    warnings: Sequence[BuildError] = ()
    images: frozenset[str] = frozenset()
    milliseconds: Mapping[str, float] | None = None


class SceneBuilder(Protocol):
    """Checks, compiles and plays the source of scenes and components."""

    async def build(self, request: BuildRequest) -> BuildReport:
        """Build the source. A fault of the source is in the report; it is never raised.

        Raises:
            CompilerMissing: the compiler is not installed; the message names what to install.
            TransientFault: the compiler could not be started.
        """
