"""Plan how many ideas each genre gets, and compare the plan with the ideas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Protocol

from shared.apps.ideation.models import GenreShare, Idea


class IdeaRequest(Protocol):
    """How many ideas of which genres are requested: a job's input, or the parameters of a run."""

    @property
    def genre_paths(self) -> Sequence[Sequence[str]]: ...

    @property
    def genre_proportions(self) -> Sequence[float]: ...

    @property
    def idea_count(self) -> int: ...


def planned_counts(proportions: Sequence[float], count: int) -> list[int]:
    """Return how many of `count` ideas each proportion gets, by the largest remainder method (Hamilton).

    Parliaments assign seats in the same way: each proportion gets its quota, rounded down, and the remaining ideas go
    to the largest remainders, the first of equal ones. The sum of the proportions need not be 100, only more than 0.
    """
    exact = [Fraction(str(each)) for each in proportions]
    quotas = [count * each / sum(exact) for each in exact]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda index: counts[index] - quotas[index])
    for index in by_remainder[: count - sum(counts)]:
        counts[index] += 1
    return counts


def genre_shares(request: IdeaRequest, ideas: Iterable[Idea]) -> list[GenreShare]:
    """Return the planned and the found count of each genre path, in the order of the paths."""
    found = Counter(tuple(idea.genre_path) for idea in ideas)
    planned = planned_counts(request.genre_proportions, request.idea_count)
    return [
        GenreShare(genre_path=list(path), proportion=proportion, planned=count, found=found[tuple(path)])
        for path, proportion, count in zip(request.genre_paths, request.genre_proportions, planned, strict=True)
    ]
