"""The tokens that count as lost or repeated in a watcher's text."""

from __future__ import annotations

import pytest

from tests.bench.peers.losses import Losses, losses_of

FIRST = [f"{1_700_000_000_000_000_000 + number}" for number in range(5)]
SECOND = [f"{1_800_000_000_000_000_000 + number}" for number in range(5)]
"""The tokens of two model responses, five each."""


@pytest.mark.parametrize(
    ("shown", "lost", "repeated"),
    [
        (FIRST, 0, 0),
        ([], 5, 0),
        (FIRST[:2] + FIRST[3:], 1, 0),
        (FIRST[:3] + FIRST[2:], 0, 1),
        (FIRST + FIRST, 0, 5),
        (FIRST[:2] + FIRST[1:2] + FIRST[3:], 1, 1),
        (SECOND, 0, 0),
        (FIRST[:3] + SECOND, 0, 3),
        (FIRST[:3] + SECOND[3:], 0, 0),
    ],
    ids=[
        "complete",
        "nothing seen",
        "one missing",
        "one twice",
        "everything twice",
        "one missing and another twice",
        "a second response instead of the first",
        "a second response after a part of the first",
        "a second response that continues where the first ended",
    ],
)
def test_losses_are_counted_by_token(shown: list[str], lost: int, repeated: int) -> None:
    assert Losses.of(shown, expected=5) == Losses(lost, repeated)


def test_only_the_stamps_of_a_text_count_as_tokens() -> None:
    assert losses_of(f'{{"title": "{FIRST[0]} {FIRST[1]} "}}, 12 words', expected=3) == Losses(lost=1)


def test_the_losses_of_jobs_add_up() -> None:
    assert sum([Losses(1, 2), Losses(0, 3)], Losses()) == Losses(1, 5)
