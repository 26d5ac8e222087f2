"""What the demo says about tokens."""

from __future__ import annotations

import pytest

from local.demo.__main__ import _tokens
from shared.log.usage import TokenUsage


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (TokenUsage(), "0 in, 0 out"),
        (TokenUsage(input_tokens=7, output_tokens=3), "7 in, 3 out"),
        (TokenUsage(unreported_calls=1), "not reported, 1 call without a report"),
        (
            TokenUsage(input_tokens=7, output_tokens=3, unreported_calls=2),
            "at least 7 in, 3 out, 2 calls without a report",
        ),
    ],
)
def test_tokens_that_are_not_known_are_not_said_to_be_0(usage: TokenUsage, said: str) -> None:
    assert _tokens(usage) == said
