"""Fences: DynamoDB compares them as text, so their text must sort in the same order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.ending import ENDING_STAGE_INDEX
from shared.log.fence import Fence

NONCES = st.integers(0, 2**32 - 1).map(lambda number: f"{number:08x}")
FENCES = st.builds(Fence, st.integers(1, 99_999), st.integers(0, 999), st.integers(0, 999), NONCES)


@given(FENCES, FENCES)
def test_fences_and_their_texts_sort_in_the_same_order(one: Fence, other: Fence) -> None:
    assert (str(one) < str(other)) == (one < other)
    assert (str(one) == str(other)) == (one == other)


@given(FENCES)
def test_parsing_a_fences_text_returns_the_fence(fence: Fence) -> None:
    assert Fence.parse(str(fence)) == fence


def test_a_fence_compares_generation_then_stage_then_retry() -> None:
    ranks = [(1, 0, 0), (1, 0, 1), (1, 1, 0), (1, ENDING_STAGE_INDEX, 0), (2, 0, 0)]
    fences = [Fence.of_attempt(generation=g, stage=s, retry=r) for g, s, r in ranks]
    assert all(lower < higher for lower, higher in pairwise(fences))


def test_two_attempts_of_one_retry_have_different_fences() -> None:
    assert Fence.of_attempt(generation=1, stage=0, retry=0) != Fence.of_attempt(generation=1, stage=0, retry=0)


def test_any_fence_is_higher_than_that_of_a_job_without_a_claim() -> None:
    assert str(Fence(1, 0, 0, "00000000")) > ""
