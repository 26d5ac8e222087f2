"""Price a month without requests, and what is added if every hour has jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.jobs.aws_prices import PriceList
from tools.cost.bill import LOG_MONTHS, Line
from tools.cost.counts import GB, MONTH_SECONDS, PLATFORM_LOG_BYTES, SweepCounts
from tools.cost.deployed import Deployed

ROUTE_METRICS = 6
"""Metrics that an HTTP API with detailed metrics writes for each route.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
"""

POLLS = 5 * MONTH_SECONDS / 20
"""Requests a month with which Lambda asks an empty queue for messages: five at the same time, of 20 s each.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""


def bill_for_an_idle_month(deployed: Deployed, sweep: SweepCounts, prices: PriceList) -> list[Line]:
    """Return the bill for a month in which only the sweep runs."""
    sweeps, gb = deployed.sweeps, deployed.sweep_gb
    log_gb = (sweep.log_bytes + PLATFORM_LOG_BYTES) / GB
    cached = sum(deployed.snapshot_gb.values())
    snapshots = f"SnapStart snapshots of {len(deployed.snapshot_gb)} functions, {cached:g} GB"
    uses = [
        (snapshots, cached * MONTH_SECONDS, "snapstart_cache"),
        ("alarms", deployed.alarm_metrics, "alarm"),
        ("dashboards", deployed.dashboards, "dashboard"),
        ("secrets", deployed.secrets, "secret"),
        ("metrics of the sweep", len(sweep.metrics), "custom_metric"),
        ("sweep: Scheduler", sweeps, "scheduler_invocation"),
        ("sweep: Lambda invocations", sweeps, "lambda_request"),
        (
            f"sweep: Lambda, {sweep.milliseconds:.0f} ms each",
            sweeps * gb * sweep.milliseconds / 1000,
            "lambda_gb_second",
        ),
        ("sweep: DynamoDB reads", sweeps * sweep.read_units, "dynamodb_read"),
        ("sweep: logs", sweeps * log_gb, "logs_ingested"),
        ("sweep: logs kept", sweeps * log_gb * LOG_MONTHS, "logs_stored"),
        ("sweep: traces", sweeps, "trace"),
        *([("queues: requests for messages", deployed.queues * POLLS, "sqs_request")] if deployed.queues else []),
    ]
    return [Line(what, count, prices[price], 1) for what, count, price in uses]


def bill_for_a_month_in_use(
    deployed: Deployed, sweep: SweepCounts, metrics: Sequence[str], routes: Sequence[str], prices: PriceList
) -> list[Line]:
    """Return what is added to the idle month if each pipeline runs in every hour: metrics, which are billed by hour."""
    own = len(set(metrics) - set(sweep.metrics))
    return [Line(what, count, prices["custom_metric"], 1) for what, count in _metrics_in_use(deployed, own, routes)]


def _metrics_in_use(deployed: Deployed, own: int, routes: Sequence[str]) -> Iterator[tuple[str, float]]:
    yield "metrics of the functions", own
    if deployed.routes_have_metrics:
        yield f"metrics of the HTTP API's {len(routes)} routes that jobs ask", len(routes) * ROUTE_METRICS
