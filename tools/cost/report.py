"""The whole reckoning: bills, totals and what a further second of a model costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.template.template import Template
from tools.cost.bill import JOBS, Line, bill_for_jobs, total
from tools.cost.counts import Counts
from tools.cost.deployed import Deployed
from tools.cost.idle import bill_for_a_month_in_use, bill_for_an_idle_month
from tools.cost.measured import Measured
from tools.cost.prices import PriceList


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens, as the template has them for its default model."""

    input: float
    output: float

    @staticmethod
    def of(template: Template, model: str) -> ModelPrice:
        """Raises KeyError for a model without a price."""
        prices = next(f.environment["MODEL_PRICES"] for f in template.functions if "MODEL_PRICES" in f.environment)
        return ModelPrice(**json.loads(prices)[model])

    def for_jobs(self, counts: Counts) -> float:
        """US dollars for 1,000 jobs."""
        return (counts.input_tokens * self.input + counts.output_tokens * self.output) / 1e6 * JOBS


@dataclass(frozen=True)
class Report:
    """Bills from one measurement. `factor`: how long a local millisecond is on AWS."""

    measured: Measured
    deployed: Deployed
    prices: PriceList
    model_prices: Mapping[str, ModelPrice]
    factor: float = 1.0

    def bill(self, pipeline: str) -> list[Line]:
        """For 1,000 jobs."""
        return self._bill(self.measured.pipelines[pipeline])

    def _bill(self, counts: Counts) -> list[Line]:
        return bill_for_jobs(counts, self.prices, snapshot_gb=self.deployed.snapshot_gb, factor=self.factor)

    def further_second(self, pipeline: str) -> float:
        """US dollars for 1,000 jobs whose model writes as much in a second more."""
        quick, slow = self.measured.pipelines[pipeline], self.measured.slower[pipeline]
        return (total(self._bill(slow)) - total(self._bill(quick))) / (slow.seconds - quick.seconds)

    @property
    def idle(self) -> list[Line]:
        """For a month."""
        return bill_for_an_idle_month(self.deployed, self.measured.sweep, self.prices)

    @property
    def in_use(self) -> list[Line]:
        """For a month, on top of idling."""
        measured = self.measured
        return bill_for_a_month_in_use(self.deployed, measured.sweep, measured.metrics, measured.routes, self.prices)

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines; money in US dollars."""
        return {
            "region": self.prices.region,
            "pricesChecked": self.prices.checked.isoformat(),
            "factor": self.factor,
            "measured": self.measured.as_json(),
            "pipelines": {
                name: {
                    "per1000Jobs": _lines(self.bill(name)),
                    "usdPer1000Jobs": total(self.bill(name)),
                    "usdPer1000JobsAndFurtherSecond": self.further_second(name),
                    "modelUsdPer1000Jobs": self.model_prices[name].for_jobs(counts),
                }
                for name, counts in self.measured.pipelines.items()
            },
            "idleMonth": {"lines": _lines(self.idle), "usd": total(self.idle)},
            "monthInUse": {"lines": _lines(self.in_use), "usd": total(self.in_use)},
        }


def _lines(lines: list[Line]) -> list[dict[str, Any]]:
    return [
        {
            "what": line.what,
            "count": line.count,
            "unit": line.price.unit,
            "unitUsd": line.price.usd / line.price.per,
            "usd": line.usd,
        }
        for line in lines
    ]
