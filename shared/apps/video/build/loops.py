"""Find the loop that does not end: count the turns of every loop, in a copy of the source that is thrown away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.apps.video.build.source import Place

MOST_TURNS: Final = 3_000_000
"""Turns of one loop over all frames; the copy is made only of scenes that have used up their time."""

_COUNTER = (
    "const __turns = []; const __turn = (loop) => { __turns[loop] = (__turns[loop] | 0) + 1; "
    f"if (__turns[loop] > {MOST_TURNS}) throw new RangeError('endless loop ' + loop); }}; "
)
_FOUND = re.compile(r"endless loop (\d+)")


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop: where it is, and the first and the last byte of its body. `is_block` says that braces are around it."""

    place: Place
    start: int
    end: int
    is_block: bool


def counted(text: str, loops: Sequence[Loop]) -> str:
    """Return a copy of the source that throws after too many turns of one loop. All lines keep their numbers."""
    insertions: list[tuple[int, str]] = []
    for number, loop in enumerate(loops):
        if loop.is_block:
            insertions.append((loop.start + 1, f" __turn({number});"))
        else:
            insertions += [(loop.start, f"{{ __turn({number}); "), (loop.end, " }")]
    code = text.encode()
    # From the end to the start, so that a position is still that of the source when its turn comes.
    for position, inserted in sorted(insertions, key=lambda each: each[0], reverse=True):
        code = code[:position] + inserted.encode() + code[position:]
    return _COUNTER + code.decode()


def loop_of(message: str, loops: Sequence[Loop]) -> Place | None:
    """Return the place of the loop that the error of such a copy names."""
    found = _FOUND.search(message)
    return loops[int(found[1])].place if found else None
