"""Compute all figures of a report: bills, totals, and the cost of a further second of model output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.template.template import Template
from shared.jobs.aws_prices import PriceList
from tools.cost.bill import JOBS, Line, bill_for_jobs, total
from tools.cost.configurations import PRODUCTION
from tools.cost.counts import Counts
from tools.cost.deployed import Deployed
from tools.cost.idle import bill_for_a_month_in_use, bill_for_an_idle_month
from tools.cost.measured import Measured


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """The price of a model's tokens in US dollars per million, as the template sets it."""

    input: float
    output: float

    @staticmethod
    def of(template: Template, model: str) -> ModelPrice:
        """Return the price of a model. Raises KeyError if the template sets none."""
        prices = next(f.environment["MODEL_PRICES"] for f in template.functions if "MODEL_PRICES" in f.environment)
        return ModelPrice(**json.loads(prices)[model])

    def for_jobs(self, counts: Counts) -> float:
        """Return the price of the tokens of 1,000 jobs in US dollars."""
        return (counts.input_tokens * self.input + counts.output_tokens * self.output) / 1e6 * JOBS


@dataclass(frozen=True)
class Report:
    """The bills of one measurement; `deployments` are by configuration.

    `factor` is the duration of a local millisecond on AWS, in milliseconds.
    """

    measured: Measured
    deployments: Mapping[str, Deployed]
    prices: PriceList
    model_prices: Mapping[str, ModelPrice]
    factor: float = 1.0

    @property
    def deployed(self) -> Deployed:
        """What the configuration `production` sets up."""
        return self.deployments[PRODUCTION]

    def bill(self, pipeline: str, configuration: str = PRODUCTION) -> list[Line]:
        """Return the bill for 1,000 jobs of a pipeline."""
        return self._bill(self.measured.pipelines[pipeline], configuration)

    def _bill(self, counts: Counts, configuration: str = PRODUCTION) -> list[Line]:
        snapshots = self.deployments[configuration].snapshot_gb
        return bill_for_jobs(counts, self.prices, snapshot_gb=snapshots, factor=self.factor)

    def further_second(self, pipeline: str) -> float | None:
        """Return what 1,000 jobs cost more, in US dollars, if the model takes one second longer for the same output.

        None if the jobs call no model.
        """
        quick, slow = self.measured.pipelines[pipeline], self.measured.slower[pipeline]
        if not quick.output_tokens:
            return None
        return (total(self._bill(slow)) - total(self._bill(quick))) / (slow.seconds - quick.seconds)

    def idle(self, configuration: str) -> list[Line]:
        """Return the bill for a month without requests."""
        return bill_for_an_idle_month(self.deployments[configuration], self.measured.sweep, self.prices)

    @property
    def in_use(self) -> list[Line]:
        """What is added to the idle month if every hour has jobs."""
        measured = self.measured
        return bill_for_a_month_in_use(self.deployed, measured.sweep, measured.metrics, measured.routes, self.prices)

    def as_json(self) -> dict[str, Any]:
        """Return all figures as JSON-like values; money is in US dollars."""
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
            "idleMonth": {
                name: {"lines": _lines(self.idle(name)), "usd": total(self.idle(name))} for name in self.deployments
            },
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
