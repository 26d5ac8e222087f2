"""Prices of models, as a deployment states them."""

import re

import pytest

from shared.llm.prices import ModelPrice, parse_model_prices


def test_prices_are_usd_per_million_tokens() -> None:
    price = parse_model_prices('{"m": {"input": 0.5, "output": 2}}')["m"]

    assert price == ModelPrice(input=0.5, output=2.0)
    assert price.cost_usd(input_tokens=2_000_000, output_tokens=500_000) == pytest.approx(2.0)


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_no_prices_at_all_are_fine(text: str) -> None:
    assert parse_model_prices(text) == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "MODEL_PRICES is not valid JSON"),
        ("[]", "MODEL_PRICES must be a JSON object"),
        ('{"m": 3}', "m must be"),
        ('{"m": {"input": 1}}', "m must be"),
        ('{"m": {"input": 1, "output": 1, "cached": 1}}', "m must be"),
        ('{"m": {"input": -1, "output": 1}}', "m.input must be USD"),
        ('{"m": {"input": 1, "output": "1"}}', "m.output must be USD"),
        ('{"m": {"input": true, "output": 1}}', "m.input must be USD"),
        ('{"m": {"input": NaN, "output": 1}}', "m.input must be USD"),
        ('{"m": {"input": 1, "output": Infinity}}', "m.output must be USD"),
    ],
)
def test_a_wrong_price_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse_model_prices(text)
