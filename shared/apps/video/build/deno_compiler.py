"""Compile TSX with Deno: it removes the types and turns elements into calls, and changes nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from shared.apps.video.build.compiler import Compiled
from shared.apps.video.build.deno import NO_FETCHES, RUNTIME, Limits, run_deno
from shared.apps.video.build.report import BuildError
from shared.apps.video.build.source import Source
from shared.apps.video.build.toolchain import deno_version
from shared.errors import InternalFault

FILE: Final = "scene.tsx"
"""The name of the source in a build's folder."""
CONFIG: Final = "deno.json"
"""The name of the configuration in a build's folder: Deno applies one to the files below its own folder only."""

_TYPES = RUNTIME / "types"
_CONFIG = {
    "compilerOptions": {
        "jsx": "react-jsx",
        "jsxImportSource": "preact",
        "lib": ["esnext"],
        "strict": False,
        "noImplicitAny": False,
    },
    "imports": {
        "@millrace/scene": (_TYPES / "scene.d.ts").as_uri(),
        "remotion": (_TYPES / "scene.d.ts").as_uri(),
        "react": (_TYPES / "react.d.ts").as_uri(),
        "preact/jsx-runtime": (_TYPES / "jsx-runtime.d.ts").as_uri(),
    },
}
_LIMITS = Limits(cpu_seconds=2, seconds=30, memory=700_000_000)
_FAULT = re.compile(
    r"^error: (?:SyntaxError: )?(?P<message>.*?)$.*?^\s*at file://\S*?:(?P<line>\d+):(?P<column>\d+)",
    re.MULTILINE | re.DOTALL,
)
_MAP = "//# sourceMappingURL="


class DenoCompiler:
    """The port Compiler on `deno transpile`."""

    @property
    def version(self) -> str:
        return f"deno {deno_version()}"

    async def compile(self, source: Source, folder: Path) -> Compiled | BuildError:
        """Compile the source, which is written into the folder."""
        file = folder / FILE
        file.write_text(source.text, newline="")
        (folder / CONFIG).write_text(json.dumps(_CONFIG))
        options = [*NO_FETCHES, "--quiet", "--config", str(folder / CONFIG), "--source-map", "inline"]
        ended = await run_deno(["transpile", *options, str(file)], _LIMITS, folder=folder)
        if ended.status == 0:
            mapped = ended.output
            return Compiled(mapped[: mapped.rindex(_MAP)], mapped)
        if ended.late or ended.status < 0:
            return source.error("syntax", "too-complex", "the compiler could not finish: write simpler code")
        return _syntax_error(source, ended.errors)


def _syntax_error(source: Source, errors: str) -> BuildError:
    found = _FAULT.search(errors)
    if found is None:
        raise InternalFault(f"the compiler failed in a way that is not known: {errors[-500:]}")
    line, column = int(found["line"]), int(found["column"])
    message = found["message"].rstrip(".")
    if message.startswith("Expected '</'"):
        message = "an element that begins before this place is not closed"
    return source.error("syntax", "syntax", message, source.place_of_columns(line, column))
