"""Read what a model's tokens cost from the setting `MODEL_PRICES`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

_TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """The price of a model's input and output, in USD per million tokens."""

    input: float
    output: float

    def cost_usd(self, *, input_tokens: int, output_tokens: int) -> float:
        """Return the price of these tokens in USD."""
        return (input_tokens * self.input + output_tokens * self.output) / _TOKENS_PER_PRICE


def parse_model_prices(text: str) -> dict[str, ModelPrice]:
    """Parse `{"<model>": {"input": <USD per million tokens>, "output": …}}`; return no prices if the text is blank.

    Raises ValueError, which names the model and the field that is not valid.
    """
    if not text.strip():
        return {}
    try:
        prices = json.loads(text)
    except ValueError as error:
        raise ValueError(f"MODEL_PRICES is not valid JSON: {error}") from error
    if not isinstance(prices, dict):
        raise ValueError("MODEL_PRICES must be a JSON object of model names")  # noqa: TRY004 - settings report ValueError
    return {model: _parse_price(model, price) for model, price in prices.items()}


def _parse_price(model: str, price: Any) -> ModelPrice:
    if not isinstance(price, dict) or set(price) != {"input", "output"}:
        raise ValueError(f'MODEL_PRICES: {model} must be {{"input": …, "output": …}} and nothing else')
    return ModelPrice(
        input=_parse_usd(model, "input", price["input"]), output=_parse_usd(model, "output", price["output"])
    )


def _parse_usd(model: str, field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"MODEL_PRICES: {model}.{field} must be USD per million tokens, a number of at least 0")
    return float(value)
