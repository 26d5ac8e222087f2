"""What the demo says about tokens."""

from __future__ import annotations

import pytest

from local.demo.__main__ import _tokens, cost_line
from shared.jobs.costs import usage_with_price
from shared.log.usage import ComputeUsage, TokenUsage


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


def test_the_price_names_what_it_is_for_and_what_is_not_known() -> None:
    used = ComputeUsage(lambda_gb_ms=1000, invocations=1, transitions=3, write_units=40, read_units=8)
    scripted = usage_with_price(TokenUsage(input_tokens=7), used).cost
    assert cost_line(scripted, scripted=True) == (
        "model $0 (scripted), AWS $0.000118 (Lambda $0.000017, DynamoDB $0.000026, Step Functions $0.000075)"
    )
    assert cost_line(scripted, scripted=False).startswith("model unknown, AWS $")
    old = usage_with_price(TokenUsage(input_tokens=7, cost_usd=0.5), None).cost
    assert cost_line(old, scripted=False).startswith("model $0.500000, AWS unknown (")
    assert cost_line(None, scripted=False) == "unknown"
