"""Read AWS's list prices: those of the file, or those that the deployment sets for its region."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

PRICES_FILE = Path(__file__).with_name("aws_prices.json")
"""The price list, which names for each price where it was found."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price of `usd` US dollars for `per` units.

    `published` names the document from which it was read. `unsure` says why it may be wrong, if it may.
    """

    usd: float
    per: int
    unit: str
    source: str
    published: str
    unsure: str | None = None

    def of(self, units: float) -> float:
        """Return the price of this number of units in US dollars."""
        return self.usd * units / self.per


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one region by name, as they were on the day `checked`."""

    checked: date
    region: str
    prices: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.prices[name]

    @staticmethod
    def load(path: Path = PRICES_FILE) -> PriceList:
        """Return the price list of a JSON file."""
        document = json.loads(path.read_text(encoding="utf-8"))
        prices = {name: Price(**entry) for name, entry in document["prices"].items()}
        return PriceList(date.fromisoformat(document["checked"]), document["region"], prices)

    def with_prices_of(self, text: str) -> PriceList:
        """Return the list with the prices of `{"region": …, "checked": "2026-11-21", "prices": {"<name>": <USD>}}`.

        A price is for as many units as in the file. Names that are left out keep their price.

        Raises ValueError, which names what is not valid.
        """
        try:
            given = json.loads(text)
        except ValueError as error:
            raise ValueError(f"AWS_PRICES is not valid JSON: {error}") from error
        if not isinstance(given, dict) or set(given) != {"region", "checked", "prices"}:
            raise ValueError('AWS_PRICES must be {"region": …, "checked": …, "prices": {…}} and nothing else')
        if not isinstance(given["region"], str) or not isinstance(given["prices"], dict):
            raise ValueError("AWS_PRICES: region must be a text, and prices an object of numbers")  # noqa: TRY004 - as above
        prices = {name: self._changed(name, usd) for name, usd in given["prices"].items()}
        return PriceList(_day(given["checked"]), given["region"], {**self.prices, **prices})

    def _changed(self, name: str, usd: Any) -> Price:
        if name not in self.prices:
            raise ValueError(f"AWS_PRICES: {name} is no price; the names are: {', '.join(self.prices)}")
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not math.isfinite(usd) or usd < 0:
            raise ValueError(f"AWS_PRICES: {name} must be a number of US dollars, at least 0")
        return replace(self.prices[name], usd=float(usd), published="AWS_PRICES", unsure=None)


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError("AWS_PRICES: checked must be a day, such as 2026-11-21") from error


@functools.cache
def aws_prices() -> PriceList:
    """Return the prices of this deployment. Raises ValueError if `AWS_PRICES` is not valid."""
    listed, given = PriceList.load(), os.environ.get("AWS_PRICES", "")
    return listed.with_prices_of(given) if given.strip() else listed
