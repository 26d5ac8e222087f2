"""Price what jobs use, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.jobs.aws_prices import Price, PriceList
from tools.cost.counts import GB, Counts

JOBS = 1000
"""The number of jobs that a bill is for."""

COLD_SHARE = 0.01
"""The share of invocations that start a new environment. It is assumed, because only production can show it."""

FREE_STREAM_BYTES = 6 * 1024**2
"""Bytes of a streamed response for which Lambda charges nothing."""

LOG_MONTHS = 14 / 30
"""Months for which log lines are kept: LogRetentionDays of the template."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: the units per job or per month, and their price. `factor` is the number of jobs or months."""

    what: str
    count: float
    price: Price
    factor: int

    @property
    def usd(self) -> float:
        """The price of the line in US dollars."""
        return self.price.of(self.count * self.factor)


def bill_for_jobs(
    counts: Counts, prices: PriceList, *, snapshot_gb: Mapping[str, float], factor: float = 1.0
) -> list[Line]:
    """Return the bill for 1,000 jobs, without the model's tokens.

    `snapshot_gb` is the memory in GB of each function with SnapStart, by the function's name. `factor` is the duration
    of a local millisecond on AWS, in milliseconds.
    """
    return [Line(what, count, prices[price], JOBS) for what, count, price in _uses(counts, factor, snapshot_gb)]


def _uses(counts: Counts, factor: float, snapshot_gb: Mapping[str, float]) -> Iterator[tuple[str, float, str]]:
    yield "HTTP API requests", counts.http_requests, "http_api_request"
    yield "Lambda invocations", counts.invocations, "lambda_request"
    for name, invoked in counts.functions.items():
        what = f"Lambda {name}: {invoked.milliseconds * factor:,.0f} ms of {invoked.megabytes} MB"
        yield what, invoked.gb_seconds(factor), "lambda_gb_second"
    restorable = sum(invoked.times * snapshot_gb.get(name, 0.0) for name, invoked in counts.functions.items())
    yield f"SnapStart restores, {COLD_SHARE:.0%} of starts", restorable * COLD_SHARE, "snapstart_restore"
    yield "Lambda streaming", max(0.0, counts.streamed_bytes - FREE_STREAM_BYTES) / GB, "lambda_streamed"
    yield "Step Functions transitions", counts.transitions, "state_transition"
    for name, use in counts.tables.items():
        yield f"DynamoDB {name} writes", use.write_units, "dynamodb_write"
        yield f"DynamoDB {name} reads", use.read_units, "dynamodb_read"
    expiring = sum(use.expiring_byte_months for use in counts.tables.values())
    kept = sum(use.kept_bytes for use in counts.tables.values())
    yield "DynamoDB storage until expiry", expiring / GB, "dynamodb_storage"
    yield "DynamoDB storage that does not expire, a month", kept / GB, "dynamodb_storage"
    yield "point-in-time recovery, a month", kept / GB, "dynamodb_recovery"
    yield "S3 objects", counts.objects, "s3_put"
    yield "S3 storage, a month", counts.object_bytes / GB, "s3_storage"
    yield "CloudWatch Logs", counts.all_log_bytes / GB, "logs_ingested"
    yield "CloudWatch Logs kept for two weeks", counts.all_log_bytes / GB * LOG_MONTHS, "logs_stored"
    yield "X-Ray traces, all of them sampled", counts.traces, "trace"
    yield "data transfer to the internet", (counts.streamed_bytes + counts.response_bytes) / GB, "transfer_out"


def total(lines: list[Line]) -> float:
    """Return the sum of the lines in US dollars."""
    return sum(line.usd for line in lines)
