"""Build a scene: limits, rules, compiler, test render; and if one of them fails, all wrong names at once."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.apps.video.build import lint
from shared.apps.video.build.compiler import Compiled, Compiler
from shared.apps.video.build.deno import RUNTIME
from shared.apps.video.build.deno_compiler import DenoCompiler
from shared.apps.video.build.report import MOST_ERRORS, BuildError, BuildReport, BuildRequest
from shared.apps.video.build.source import Source, limit_errors
from shared.apps.video.build.test_render import Hints, Played, play
from shared.apps.video.build.type_check import type_errors
from shared.apps.video.scene import Build

API: Final = "1"
"""The version of the runtime's API for scenes."""

_FIRST = ("limit", "syntax", "lint", "runtime", "name")
# With one of these, the module cannot be loaded, and the test render could only say the same again.
_PREVENTS_LOADING = frozenset({"import-source", "import-name", "no-state", "default-export"})


class Checks:
    """The port SceneBuilder."""

    def __init__(self, compiler: Compiler | None = None) -> None:
        self._compiler = compiler or DenoCompiler()

    async def build(self, request: BuildRequest) -> BuildReport:
        """Build a source. Raises CompilerMissing, and StorageUnavailable if a process could not be started."""
        source = Source(request.tsx_code)
        if errors := limit_errors(source):
            return BuildReport(None, errors)
        steps = _Steps()
        with steps.timed("lint"):
            findings = lint.lint(source, lint.Allowed(request.images, frozenset(request.components or ())))
        with tempfile.TemporaryDirectory(prefix="scene-") as name:
            folder = Path(name)
            with steps.timed("compile"):
                compiled = await self._compiler.compile(source, folder)
            played = Played()
            errors = list(findings.errors)
            if isinstance(compiled, BuildError):
                errors.append(compiled)
            elif not _PREVENTS_LOADING.intersection(error.rule for error in errors):
                with steps.timed("play"):
                    hints = Hints(findings.scene, findings.module_state)
                    played = await play(source, compiled, request, hints, folder)
                errors += played.errors
            if errors and isinstance(compiled, Compiled):
                with steps.timed("types"):
                    errors += await type_errors(source, folder)
        build = None if errors or isinstance(compiled, BuildError) else self._built(compiled, request)
        return BuildReport(
            build,
            _sorted(errors),
            _sorted([*findings.warnings, *played.warnings]),
            frozenset(findings.images) | played.images,
            steps.milliseconds,
        )

    def _built(self, compiled: Compiled, request: BuildRequest) -> Build:
        compiler, runtime = self._compiler.version, runtime_version()
        depends = {
            "tsx": request.tsx_code,
            "compiler": compiler,
            "runtime": runtime,
            "rules": lint.VERSION,
            "duration": request.duration_in_frames,
            "rate": request.playback_rate,
            "format": request.format.model_dump(),
            "props": dict(request.props),
            "images": sorted(request.images),
            "components": dict(request.components or {}),
            "isComponent": request.is_component,
        }
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        return Build(js_code=compiled.code, compiler=compiler, runtime=runtime, digest=digest)


@functools.cache
def runtime_version() -> str:
    """Return the version of the runtime: of its API, and a digest of the files that draw scenes."""
    digest = hashlib.sha256()
    for file in sorted(RUNTIME.rglob("*.js")):
        digest.update(file.relative_to(RUNTIME).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{API}-{digest.hexdigest()[:12]}"


def _sorted(errors: Sequence[BuildError]) -> tuple[BuildError, ...]:
    """Return the errors in the order of the source, one for each place, and no more than a report names."""
    at_places: dict[object, BuildError] = {}
    for error in sorted(errors, key=lambda error: _FIRST.index(error.kind)):
        at_places.setdefault((error.line, error.column) if error.line else error.message, error)
    ordered = sorted(at_places.values(), key=lambda error: (error.line or 0, error.column or 0))
    return tuple(ordered[:MOST_ERRORS])


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
