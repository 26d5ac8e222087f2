"""Name every undefined or doubly declared name of a source that failed, so that one repair can mend them all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from shared.apps.video.build.deno import NO_FETCHES, Limits, run_deno
from shared.apps.video.build.deno_compiler import CONFIG, FILE
from shared.apps.video.build.positions import first_place
from shared.apps.video.build.report import BuildError
from shared.apps.video.build.source import Source

LIMITS: Final = Limits(cpu_seconds=20, seconds=60, memory=1_500_000_000)
"""What a type check may use. It takes ten times as long as the rest of a build."""

RULES: Final = {
    "TS2304": "undefined-name",
    "TS2552": "undefined-name",
    "TS18004": "undefined-name",
    "TS2451": "duplicate-name",
    "TS2300": "duplicate-name",
    "TS2588": "constant-assigned",
    "TS2448": "used-before-its-declaration",
    "TS2454": "used-before-its-declaration",
}
"""The findings that are certain to fail when the scene plays; wrong types may play all the same."""

_FINDING = re.compile(
    r"^(?:error: )?(?P<code>TS\d+) \[ERROR\]: (?P<message>.*?)$.*?^\s*at (?P<place>file://\S+)",
    re.MULTILINE | re.DOTALL,
)


async def type_errors(source: Source, folder: Path) -> list[BuildError]:
    """Return the names that are wrong in the source, which the folder has already.

    Raises:
        CompilerMissing: Deno is not installed.
        StorageUnavailable: Deno could not be started, or was killed.
    """
    options = [*NO_FETCHES, "--quiet", "--config", str(folder / CONFIG)]
    ended = await run_deno(["check", *options, str(folder / FILE)], LIMITS, folder=folder)
    errors = []
    for found in _FINDING.finditer(ended.errors):
        place = first_place(source, found["place"])
        if (rule := RULES.get(found["code"])) is not None and place is not None:
            errors.append(source.error("name", rule, found["message"].rstrip("."), place))
    return errors
