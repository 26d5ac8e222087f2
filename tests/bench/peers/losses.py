"""What a watcher was left with, held against what the model said: tokens lost, tokens repeated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

STAMP = re.compile(r"\b\d{19}\b")
"""Every token of the scripted model is the time at which it was sent, so no two are alike."""


@dataclass(frozen=True, slots=True)
class Losses:
    lost: int = 0
    repeated: int = 0

    @classmethod
    def of(cls, shown: Sequence[str], expected: int) -> Self:
        """`shown`: the tokens a watcher's screen holds at the end; `expected`: how many one whole answer has.

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
