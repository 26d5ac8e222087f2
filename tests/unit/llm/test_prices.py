"""The prices of models in a deployment's settings."""

import re

import pytest

from shared.llm.prices import ModelPrice, parse_model_prices


def test_prices_are_usd_per_million_tokens() -> None:
    price = parse_model_prices('{"m": {"input": 0.5, "output": 2}}')["m"]

    assert price == ModelPrice(input=0.5, output=2.0)
    assert price.cost_usd(input_tokens=2_000_000, output_tokens=500_000) == pytest.approx(2.0)


@pytest.mark.parametrize(("stated", "dollars"), [("", 2.0), (', "cachedInput": 0.1', 1.6), (', "cachedInput": 0', 1.5)])
def test_input_from_the_cache_costs_as_much_as_other_input_or_its_own_price(stated: str, dollars: float) -> None:
    price = parse_model_prices(f'{{"m": {{"input": 0.5, "output": 2{stated}}}}}')["m"]
    cost = price.cost_usd(input_tokens=2_000_000, output_tokens=500_000, cached_input_tokens=1_000_000)
    assert cost == pytest.approx(dollars)


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_a_deployment_may_have_no_prices(text: str) -> None:
    assert parse_model_prices(text) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "MODEL_PRICES is not valid JSON"),
        ("[]", "MODEL_PRICES must be a JSON object"),
        ('{"m": 3}', "m must be"),
        ('{"m": {"input": 1}}', "m must be"),
        ('{"m": {"input": 1, "output": 1, "cached": 1}}', "m must be"),
        ('{"m": {"input": -1, "output": 1}}', "m.input must be USD"),
        ('{"m": {"input": 1, "output": "1"}}', "m.output must be USD"),
        ('{"m": {"input": 1, "output": 1, "cachedInput": -1}}', "m.cachedInput must be USD"),
        ('{"m": {"input": true, "output": 1}}', "m.input must be USD"),
        ('{"m": {"input": NaN, "output": 1}}', "m.input must be USD"),
        ('{"m": {"input": 1, "output": Infinity}}', "m.output must be USD"),
    ],
)
def test_an_invalid_price_is_refused_with_its_name(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_model_prices(text)
