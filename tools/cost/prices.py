"""Read the price list, which says where and when each price was found."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

PRICES_FILE = Path(__file__).with_name("prices.toml")
"""The price list."""


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
        """Return the price list of a TOML file."""
        document = tomllib.loads(path.read_text())
        checked, region = document.pop("checked"), document.pop("region")
        return PriceList(checked, region, {name: Price(**entry) for name, entry in document.items()})
