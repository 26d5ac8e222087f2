"""The title of a job is one short line of its input, and is found by any part of it."""

from __future__ import annotations

import pytest

from shared.jobs.titles import LONGEST_TITLE, short_title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Checkout", "Checkout"),
        ("  two\n\tlines ", "two lines"),
        (" \n ", None),
        ("x" * LONGEST_TITLE, "x" * LONGEST_TITLE),
        ("x" * 500, "x" * (LONGEST_TITLE - 1) + "…"),
    ],
)
def test_a_title_is_one_line_of_bounded_length(text: str, title: str | None) -> None:
    assert short_title(text) == title
