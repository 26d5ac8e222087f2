"""The plan of ideas per genre, which follows the proportions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apps.ideation.models import Idea, IdeationInput
from shared.apps.ideation.plan import genre_shares, planned_counts

proportions = st.lists(st.floats(0, 100).map(lambda each: round(each, 6)), min_size=1, max_size=20).filter(any)
counts = st.integers(1, 50)


@given(proportions, counts)
def test_the_plan_has_all_ideas_and_every_genre_is_less_than_one_off_its_quota(shares: list[float], count: int) -> None:
    planned = planned_counts(shares, count)
    assert sum(planned) == count
    exact = [Fraction(str(each)) for each in shares]
    for share, found in zip(exact, planned, strict=True):
        quota = count * share / sum(exact)
        assert math.floor(quota) <= found <= math.ceil(quota)


@given(proportions, counts)
def test_a_larger_proportion_never_gets_fewer_ideas(shares: list[float], count: int) -> None:
    by_share = sorted(zip(shares, planned_counts(shares, count), strict=True))
    for (less, fewer), (more, larger) in itertools.pairwise(by_share):
        assert fewer <= larger or less == more


@pytest.mark.parametrize(
    ("shares", "count", "planned"),
    [
        ([50, 30, 20], 10, [5, 3, 2]),
        ([47, 16, 15.8, 12, 6.1, 3.1], 10, [5, 2, 1, 1, 1, 0]),
        ([25, 25, 25, 25], 10, [3, 3, 2, 2]),
        ([33.33, 33.33, 33.34], 10, [3, 3, 4]),
        ([33.33, 33.33, 33.33], 10, [4, 3, 3]),
        ([0, 100], 3, [0, 3]),
        ([0.1, 0.2, 99.7], 1, [0, 0, 1]),
        ([5] * 20, 1, [1] + [0] * 19),
    ],
)
def test_remaining_ideas_go_to_the_largest_remainders_and_then_to_earlier_genres(
    shares: list[float], count: int, planned: list[int]
) -> None:
    assert planned_counts(shares, count) == planned


def test_a_genres_share_has_the_planned_and_the_found_number() -> None:
    wanted = IdeationInput(platform="game", genre_paths=[["A"], ["B", "C"]], genre_proportions=[75, 25], idea_count=4)
    ideas = [
        Idea(number=number, genre_path=["B", "C"], title=str(number), logline="l", description="d") for number in (1, 2)
    ]
    first, second = genre_shares(wanted, ideas)
    assert (first.genre_path, first.proportion, first.planned, first.found) == (["A"], 75, 3, 0)
    assert (second.genre_path, second.proportion, second.planned, second.found) == (["B", "C"], 25, 1, 2)
