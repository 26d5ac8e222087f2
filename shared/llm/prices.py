"""Read what a model's tokens cost from the setting `MODEL_PRICES`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

_TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Prices in USD per million tokens; `cached_input` is the price of input that the provider reads from its cache."""

    input: float
    output: float
    cached_input: float | None = None

    def cost_usd(self, *, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> float:
        """Return the price of these tokens in USD; `cached_input_tokens` are a part of `input_tokens`."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        uncached = (input_tokens - cached_input_tokens) * self.input
        return (uncached + cached_input_tokens * cached_price + output_tokens * self.output) / _TOKENS_PER_PRICE


def parse_model_prices(text: str) -> dict[str, ModelPrice]:
    """Parse `{"<model>": {"input": <USD per million tokens>, "output": …, "cachedInput": …}}`.

    Without `cachedInput`, cached input costs as much as other input. Return no prices if the text is blank.

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
    if not isinstance(price, dict) or set(price) - {"cachedInput"} != {"input", "output"}:
        raise ValueError(
            f'MODEL_PRICES: {model} must be {{"input": …, "output": …, "cachedInput": …}} and nothing else'
        )
    cached = price.get("cachedInput")
    return ModelPrice(
        input=_parse_usd(model, "input", price["input"]),
        output=_parse_usd(model, "output", price["output"]),
        cached_input=None if cached is None else _parse_usd(model, "cachedInput", cached),
    )


def _parse_usd(model: str, field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"MODEL_PRICES: {model}.{field} must be USD per million tokens, a number of at least 0")
    return float(value)
