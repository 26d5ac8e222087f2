"""How many ideas each genre gets, and which are still missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Protocol

from shared.apps.ideation.models import GenreShare, Idea


class Wanted(Protocol):
    """How many ideas of which genres are asked for."""

    @property
    def genre_paths(self) -> Sequence[Sequence[str]]: ...

    @property
    def genre_proportions(self) -> Sequence[float]: ...

    @property
    def idea_count(self) -> int: ...


def planned_counts(proportions: Sequence[float], count: int) -> list[int]:
    """`count` shared out by the largest remainder method (Hamilton), as parliaments share out seats.

    Each gets its quota rounded down, and what is left over goes to the largest remainders; of equal ones to the
    earlier. Proportions need not sum to 100 exactly, but to more than 0.
    """
    exact = [Fraction(str(each)) for each in proportions]
    quotas = [count * each / sum(exact) for each in exact]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda place: counts[place] - quotas[place])
    for place in by_remainder[: count - sum(counts)]:
        counts[place] += 1
    return counts


def genre_shares(wanted: Wanted, ideas: Iterable[Idea]) -> list[GenreShare]:
    """The plan for each genre path, in their order, with what there is of it."""
    found = Counter(tuple(idea.genre_path) for idea in ideas)
    planned = planned_counts(wanted.genre_proportions, wanted.idea_count)
    return [
        GenreShare(genre_path=list(path), proportion=proportion, planned=count, found=found[tuple(path)])
        for path, proportion, count in zip(wanted.genre_paths, wanted.genre_proportions, planned, strict=True)
    ]
