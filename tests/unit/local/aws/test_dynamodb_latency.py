"""DynamoDB's published latencies."""

from __future__ import annotations

import pytest

from local.aws.dynamodb_latency import BATCH, SINGLE, TRANSACTION, Latency, draw


@pytest.mark.parametrize("latency", [SINGLE, BATCH, TRANSACTION])
def test_the_latency_meets_every_published_quantile_and_grows_with_the_share(latency: Latency) -> None:
    for share, milliseconds in latency.quantiles:
        assert latency.at(share) == pytest.approx(milliseconds / 1000)
    drawn = [latency.at(number / 1000) for number in range(1001)]
    assert drawn == sorted(drawn)


def test_the_latency_is_interpolated_between_two_quantiles() -> None:
    assert SINGLE.at(0.25) == pytest.approx((5.47 + 7.55) / 2000)


def test_a_share_is_at_most_one() -> None:
    with pytest.raises(ValueError, match="at most 1"):
        SINGLE.at(1.1)


@pytest.mark.parametrize(
    ("operation", "latency"),
    [("PutItem", SINGLE), ("Query", SINGLE), ("BatchGetItem", BATCH), ("TransactWriteItems", TRANSACTION)],
)
def test_each_kind_of_operation_has_its_own_latency(operation: str, latency: Latency) -> None:
    assert latency.at(0) <= draw(operation) <= latency.at(1)
