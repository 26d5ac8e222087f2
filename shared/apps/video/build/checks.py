"""Build a scene: limits, rules, compiler, test render; and if one of them fails, all wrong names at once."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tempfile
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from shared.apps.video.build import lint
from shared.apps.video.build.compiler import Compiled, Compiler
from shared.apps.video.build.deno import RUNTIME
from shared.apps.video.build.deno_compiler import DenoCompiler
from shared.apps.video.build.loops import Loop, counted, loop_of
from shared.apps.video.build.report import MOST_ERRORS, BuildError, BuildReport, BuildRequest
from shared.apps.video.build.source import Place, Source, limit_errors
from shared.apps.video.build.test_render import Hints, Played, play
from shared.apps.video.build.toolchain import require
from shared.apps.video.build.type_check import type_errors
from shared.apps.video.scene import Build
from shared.temporary_folders import temporary_folder

API: Final = "1"
"""The version of the runtime's API for scenes."""

KEPT_BUILDS: Final = 64
"""How many builds a process keeps; one has at most about 100 kB."""

_FIRST = ("limit", "syntax", "lint", "runtime", "name")
# With one of these, the test render could only say the same again.
_PREVENTS_PLAYING = frozenset(
    {
        *("import-source", "import-name", "no-state", "default-export"),
        *("unknown-component", "unknown-image", "image-source"),
    }
)


NameCheck: TypeAlias = Callable[[Source, Path], Awaitable[list[BuildError]]]
"""Finds all wrong names of a source that failed."""


class Checks:
    """The port SceneBuilder. It keeps the last builds: all that a build depends on is in its digest.

    `count` gets how many builds were kept, and how many were not.
    """

    def __init__(
        self,
        compiler: Compiler | None = None,
        *,
        names: NameCheck = type_errors,
        count: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._compiler = compiler or DenoCompiler()
        self._names = names
        self._count = count
        self._kept: OrderedDict[str, BuildReport] = OrderedDict()

    async def build(self, request: BuildRequest) -> BuildReport:
        """Build a source.

        Raises:
            CompilerMissing: this machine cannot build scenes.
            StorageUnavailable: a process could not be started, or was killed.
        """
        source = Source(request.tsx_code)
        if errors := limit_errors(source):
            return BuildReport(None, errors)
        require()
        digest = self._digest(request)
        kept = self._kept.get(digest)
        self._count(int(kept is not None), int(kept is None))
        if kept is not None:
            self._kept.move_to_end(digest)
            return kept
        report = await self._checked(source, request, digest)
        if report.build is not None:
            self._kept[digest] = report
            if len(self._kept) > KEPT_BUILDS:
                self._kept.popitem(last=False)
        return report

    async def _checked(self, source: Source, request: BuildRequest, digest: str) -> BuildReport:
        steps = _Steps()
        with steps.timed("lint"):
            findings = lint.lint(source, lint.Allowed(request.images, frozenset(request.components or ())))
        if any(error.kind == "limit" for error in findings.errors):
            return BuildReport(None, findings.errors, milliseconds=steps.milliseconds)
        with temporary_folder("scene") as folder:
            with steps.timed("compile"):
                compiled = await self._compiler.compile(source, folder)
            if isinstance(compiled, BuildError):
                played = Played(errors=(compiled,))
            else:
                with steps.timed("play"):
                    played = await self._play(source, findings, compiled, request, folder)
            errors = [*findings.errors, *played.errors]
            if errors and isinstance(compiled, Compiled):
                with steps.timed("types"):
                    errors += await self._names(source, folder)
        build = None
        if not errors and isinstance(compiled, Compiled):
            version = self._compiler.version
            build = Build(js_code=compiled.code, compiler=version, runtime=runtime_version(), digest=digest)
        warnings = _sorted([*findings.warnings, *played.warnings])
        images = frozenset(findings.images) | played.images
        return BuildReport(build, _sorted(errors), warnings, images, steps.milliseconds)

    async def _play(
        self, source: Source, findings: lint.Findings, compiled: Compiled, request: BuildRequest, folder: Path
    ) -> Played:
        """Play the scene, unless the rules have found why it cannot be played."""
        if _PREVENTS_PLAYING.intersection(error.rule for error in findings.errors):
            return Played()
        hints = Hints(findings.scene, findings.module_state, findings.elements)
        played = await play(source, compiled, request, hints, folder)
        if not findings.loops or all(error.rule != "too-slow" for error in played.errors):
            return played
        place = await self._endless_loop(source, findings.loops, request, folder)
        return replace(played, errors=tuple(_at(source, error, place) for error in played.errors))

    async def _endless_loop(
        self, source: Source, loops: Sequence[Loop], request: BuildRequest, folder: Path
    ) -> Place | None:
        """Return the place of the loop that does not end, if one does not."""
        copy = Source(counted(source.text, loops))
        with tempfile.TemporaryDirectory(prefix="loops-", dir=folder) as name:
            compiled = await self._compiler.compile(copy, Path(name))
            if isinstance(compiled, BuildError):
                return None
            played = await play(copy, compiled, request, Hints(), Path(name))
        return next((place for error in played.errors if (place := loop_of(error.message, loops))), None)

    def _digest(self, request: BuildRequest) -> str:
        """Return the digest of all that a build depends on."""
        depends = {
            "tsx": request.tsx_code,
            "compiler": self._compiler.version,
            "runtime": runtime_version(),
            "rules": lint.VERSION,
            "duration": request.duration_in_frames,
            "rate": request.playback_rate,
            "format": request.format.model_dump(),
            "props": dict(request.props),
            "images": sorted(request.images),
            "components": dict(request.components or {}),
            "isComponent": request.is_component,
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


@functools.cache
def runtime_version() -> str:
    """Return the version of the runtime: of its API, and a digest of the files that draw scenes."""
    digest = hashlib.sha256()
    for file in sorted(RUNTIME.rglob("*.js")):
        digest.update(file.relative_to(RUNTIME).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{API}-{digest.hexdigest()[:12]}"


def _at(source: Source, error: BuildError, place: Place | None) -> BuildError:
    return error if place is None else source.error(error.kind, error.rule, error.message, place)


def _sorted(errors: Sequence[BuildError]) -> tuple[BuildError, ...]:
    """Return the errors in the order of the source, one for each place, and no more than a report names."""
    errors = _once_for_each_name(errors)
    at_places: dict[object, BuildError] = {}
    for error in sorted(errors, key=lambda error: _FIRST.index(error.kind)):
        at_places.setdefault((error.line, error.column) if error.line else error.message, error)
    ordered = sorted(at_places.values(), key=lambda error: (error.line or 0, error.column or 0))
    return tuple(ordered[:MOST_ERRORS])


_UNDEFINED = re.compile(r"ReferenceError: (?P<name>[\w$]+) is not defined")
_NOT_FOUND = re.compile(r"Cannot find name '(?P<name>[\w$]+)'")


def _once_for_each_name(errors: Sequence[BuildError]) -> list[BuildError]:
    """Leave out what the test render says of a name that the type check found too: only that knows its column."""
    checked = {(error.line, found["name"]) for error in errors if (found := _NOT_FOUND.search(error.message))}
    played = [(error, _UNDEFINED.search(error.message)) for error in errors]
    return [error for error, found in played if found is None or (error.line, found["name"]) not in checked]


class _Steps:
    """How long each step took."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure a step."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.milliseconds[step] = round((time.perf_counter() - begun) * 1000, 1)
