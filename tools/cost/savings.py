"""List what would make jobs or an idle month cheaper, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.jobs.aws_prices import PriceList
from tools.cost.bill import JOBS
from tools.cost.counts import MONTH_SECONDS, Counts
from tools.cost.deployed import Deployed
from tools.cost.idle import ROUTE_METRICS

DEFAULT_SAMPLING = 0.05
"""The share of traces that X-Ray's default rule samples, beyond one trace per second.
https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
"""


@dataclass(frozen=True, slots=True)
class Saving:
    """One possible saving, its drawback, and the US dollars that it saves for 1,000 jobs or for a month."""

    what: str
    drawback: str
    usd: float


def for_a_month(deployed: Deployed, routes: int, prices: PriceList) -> Iterator[Saving]:
    """Yield savings of an idle month, in US dollars per month."""
    cached = sum(deployed.snapshot_gb.values())
    month = prices["snapstart_cache"].of(MONTH_SECONDS)
    yield Saving(
        "no SnapStart (`SnapStart=None`, as in the default)", "a first call takes about a second longer", cached * month
    )
    yield Saving("512 MB for functions with SnapStart", "requests get half the CPU", cached / 2 * month)
    if deployed.routes_have_metrics:
        what = "no detailed metrics of routes (`DetailedMetricsEnabled`)"
        usd = prices["custom_metric"].of(routes * ROUTE_METRICS)
        yield Saving(what, "the functions' own `Requests` remain", usd)


def for_jobs(pipelines: Mapping[str, Counts], prices: PriceList, factor: float) -> Iterator[tuple[Saving, ...]]:
    """Yield savings for 1,000 jobs in US dollars: for each measure, one saving per pipeline."""
    yield from zip(*(tuple(_for_pipeline(counts, prices, factor)) for counts in pipelines.values()), strict=True)


def _for_pipeline(counts: Counts, prices: PriceList, factor: float) -> Iterator[Saving]:
    def of(name: str, units: float) -> float:
        return prices[name].of(units * JOBS)

    streaming = counts.functions["stream_job"].gb_seconds(factor)
    generating = sum(each.gb_seconds(factor) for name, each in counts.functions.items() if name.startswith("generate_"))
    every = sum(each.gb_seconds(factor) for each in counts.functions.values())
    state = of("state_transition", 1) + of("lambda_request", 1)
    yield Saving("one state fewer, such as completing a job in its last stage", "a retry repeats more", state)
    yield Saving("256 MB for `stream_job`", "to be measured: 0.14 vCPU", of("lambda_gb_second", streaming / 2))
    yield Saving("512 MB for `generate_…`", "to be measured: 0.29 vCPU", of("lambda_gb_second", generating / 2))
    yield Saving("arm64 for everything", "another adapter layer; wheels", of("lambda_gb_second", every * 0.2))
    milliseconds = sum(each.milliseconds for name, each in counts.functions.items() if name.startswith("generate_"))
    # One append of one write unit per 100 ms: no model writes more than a unit's kilobyte in that time.
    appends = min(milliseconds / 100, sum(use.write_units for use in counts.tables.values()))
    yield Saving("appends 200 ms apart instead of 100", "text comes in larger steps", of("dynamodb_write", appends / 2))
    yield Saving(
        "X-Ray's default sampling", "not every job has a trace", of("trace", counts.traces * (1 - DEFAULT_SAMPLING))
    )
