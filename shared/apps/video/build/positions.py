"""Find places of the TSX in what Deno says."""

from __future__ import annotations

import re

from shared.apps.video.build.deno_compiler import FILE
from shared.apps.video.build.source import Place, Source

_PLACE = re.compile(rf"file://[^\s()]*?/{re.escape(FILE)}:(\d+):(\d+)")


def first_place(source: Source, text: str) -> Place | None:
    """Return the first place of the source that a stack or message names; None if it names none."""
    found = _PLACE.search(text)
    return source.place_of_utf16(int(found[1]), int(found[2])) if found else None


def without_places(message: str) -> str:
    """Return a message without the paths of files in it."""
    return re.sub(r"\s*(?:at )?(?:file|data):\S+", "", message).strip()
