"""Find places of the TSX in what Deno says."""

from __future__ import annotations

import re

from shared.apps.video.build.deno_compiler import FILE
from shared.apps.video.build.source import Place, Source

_PLACE = re.compile(rf"file://[^\s()]*?/{re.escape(FILE)}:(\d+):(\d+)")


def places(source: Source, text: str) -> list[Place]:
    """Return the places of the source that a stack or message names, in its order."""
    return [source.place_of_utf16(int(line), int(column)) for line, column in _PLACE.findall(text)]


def first_place(source: Source, text: str) -> Place | None:
    """Return the first place of the source that a stack or message names; None if it names none."""
    return next(iter(places(source, text)), None)


def without_places(message: str) -> str:
    """Return a message without the paths of files in it."""
    return re.sub(r"\s*(?:at )?(?:file|data):\S+", "", message).strip()
