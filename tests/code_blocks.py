"""The code blocks of a Markdown page as one program, whose errors have the line numbers of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FENCE = re.compile(r"^ *```(.*)$")


def program_of(page: Path, *languages: str) -> str:
    """Return the lines of all code blocks, in their order, with empty lines where the page has prose.

    Raises ValueError if a block has another language, because such a block would not run.
    """
    return "".join(_lines(page, languages))


def _lines(page: Path, languages: tuple[str, ...]) -> Iterator[str]:
    inside = False
    for number, line in enumerate(page.read_text().splitlines(keepends=True), 1):
        fence = FENCE.match(line)
        if fence and not inside and fence[1] not in languages:
            raise ValueError(
                f"{page.name}:{number}: a block of {fence[1]!r} is none of {languages}, so no test runs it"
            )
        yield line if inside and not fence else "\n"
        inside = inside != bool(fence)
