"""The price list, with where each price was found and when."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

PRICES_FILE = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` for `per` units; `published` says what the figure was read from, `unsure` why not to rely on it."""

    usd: float
    per: int
    unit: str
    source: str
    published: str
    unsure: str | None = None

    def of(self, units: float) -> float:
        """US dollars."""
        return self.usd * units / self.per


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices by name, for one region, as of one day."""

    checked: date
    region: str
    prices: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.prices[name]

    @staticmethod
    def load(path: Path = PRICES_FILE) -> PriceList:
        document = tomllib.loads(path.read_text())
        checked, region = document.pop("checked"), document.pop("region")
        return PriceList(checked, region, {name: Price(**entry) for name, entry in document.items()})
