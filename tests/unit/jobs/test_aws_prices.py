"""The price list, and the prices that a deployment sets for its region."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from shared.jobs.aws_prices import PriceList
from shared.jobs.costs import cost_of
from shared.log.usage import ComputeUsage, TokenUsage

IRELAND = {"region": "eu-west-1", "checked": "2026-11-01", "prices": {"dynamodb_write": 0.7}}
USED = ComputeUsage(lambda_gb_ms=2000, invocations=4, transitions=3, write_units=90, read_units=60, watcher_gb_ms=1000)


def test_the_price_of_a_job_is_the_sum_of_its_parts() -> None:
    cost = cost_of(TokenUsage(input_tokens=1, cost_usd=0.25), USED, PriceList.load())
    parts = [cost.lambda_usd, cost.step_functions_usd, cost.dynamodb_usd, cost.storage_usd, cost.watchers_usd]
    assert parts == [3.41334e-05, 7.5e-05, 6.375e-05, 0, 1.66667e-05]
    assert cost.model_usd == 0.25
    assert cost.aws_usd == pytest.approx(sum(each or 0 for each in parts))
    assert (cost.region, cost.prices_of) == ("us-east-1", PriceList.load().checked)


def test_what_is_not_known_has_no_price() -> None:
    cost = cost_of(TokenUsage(input_tokens=1), None, PriceList.load())
    assert (cost.model_usd, cost.aws_usd, cost.lambda_usd, cost.watchers_usd) == (None, None, None, None)
    assert cost_of(TokenUsage(unreported_calls=1), USED, PriceList.load()).model_usd is None
    assert cost_of(TokenUsage(), USED, PriceList.load()).model_usd == 0


def test_a_deployment_sets_the_prices_of_its_region() -> None:
    prices = PriceList.load().with_prices_of(json.dumps(IRELAND))
    assert (prices.region, prices.checked) == ("eu-west-1", date(2026, 11, 1))
    assert prices["dynamodb_write"].of(1_000_000) == 0.7
    assert prices["dynamodb_read"] == PriceList.load()["dynamodb_read"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "AWS_PRICES is not valid JSON"),
        ({"region": "eu-west-1"}, "must be"),
        ({**IRELAND, "region": 1}, "region must be a text"),
        ({**IRELAND, "checked": "yesterday"}, "checked must be a day"),
        ({**IRELAND, "prices": {"lambda": 1}}, "lambda is no price; the names are: lambda_request"),
        ({**IRELAND, "prices": {"trace": True}}, "trace must be a number"),
        ({**IRELAND, "prices": {"trace": -1}}, "trace must be a number"),
    ],
)
def test_prices_that_are_not_valid_are_named(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PriceList.load().with_prices_of(given if isinstance(given, str) else json.dumps(given))
