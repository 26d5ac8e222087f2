"""Compare a watcher's final text with the model's output, and count lost and repeated tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

STAMP = re.compile(r"\b\d{19}\b")
"""Every token of the scripted model is the time at which it was sent, so all tokens differ."""


@dataclass(frozen=True, slots=True)
class Losses:
    lost: int = 0
    repeated: int = 0

    @classmethod
    def of(cls, shown: Sequence[str], expected: int) -> Self:
        """`shown`: the tokens in a watcher's final text; `expected`: the number of tokens in one whole output.

        A token that occurs twice is repeated. If the model was called twice, tokens beyond one whole output are
        repeated too: the watcher already has their text, under another time. If such an output both loses and repeats
        tokens, the two cancel each other out, so the figures are lower bounds.
        """
        distinct = len(Counter(shown))
        return cls(lost=max(0, expected - distinct), repeated=len(shown) - distinct + max(0, distinct - expected))

    def __add__(self, other: Losses) -> Losses:
        return Losses(self.lost + other.lost, self.repeated + other.repeated)

    def __str__(self) -> str:
        return f"{self.lost} / {self.repeated}"


def losses_of(text: str, expected: int) -> Losses:
    return Losses.of(STAMP.findall(text), expected)
