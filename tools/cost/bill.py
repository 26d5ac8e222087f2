"""What jobs cost, line by line, from counts and prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.cost.counts import GB, Counts
from tools.cost.prices import Price, PriceList

JOBS = 1000

COLD_SHARE = 0.01
"""The part of invocations that find no warm environment: assumed, as only production can tell."""

FREE_OF_A_STREAM = 6 * 1024**2
"""Bytes of a streamed response that Lambda does not charge for."""

LOG_MONTHS = 14 / 30
"""LogRetentionDays of the template."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: how many units a job uses (or a month has), and at what price."""

    what: str
    count: float
    price: Price
    factor: int

    @property
    def usd(self) -> float:
        return self.price.of(self.count * self.factor)


def bill_for_jobs(
    counts: Counts, prices: PriceList, *, snapshot_gb: Mapping[str, float], factor: float = 1.0
) -> list[Line]:
    """Dollars for 1,000 jobs. `snapshot_gb`: GB of memory of the functions with SnapStart, by name.

    `factor`: how long a local millisecond is on AWS. The model's tokens are not in it.
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
    yield "Lambda streaming", max(0.0, counts.streamed_bytes - FREE_OF_A_STREAM) / GB, "lambda_streamed"
    yield "Step Functions transitions", counts.transitions, "state_transition"
    for name, use in counts.tables.items():
        yield f"DynamoDB {name} writes", use.write_units, "dynamodb_write"
        yield f"DynamoDB {name} reads", use.read_units, "dynamodb_read"
    expiring = sum(use.expiring_byte_months for use in counts.tables.values())
    kept = sum(use.kept_bytes for use in counts.tables.values())
    yield "DynamoDB storage until expiry", expiring / GB, "dynamodb_storage"
    yield "DynamoDB storage of what stays, a month", kept / GB, "dynamodb_storage"
    yield "point-in-time recovery, a month", (expiring + kept) / GB, "dynamodb_recovery"
    yield "S3 objects", counts.objects, "s3_put"
    yield "S3 storage, a month", counts.object_bytes / GB, "s3_storage"
    yield "CloudWatch Logs", counts.all_log_bytes / GB, "logs_ingested"
    yield "CloudWatch Logs kept for two weeks", counts.all_log_bytes / GB * LOG_MONTHS, "logs_stored"
    yield "X-Ray traces, all of them sampled", counts.traces, "trace"
    yield "data transfer to the internet", (counts.streamed_bytes + counts.answered_bytes) / GB, "transfer_out"


def total(lines: list[Line]) -> float:
    """US dollars."""
    return sum(line.usd for line in lines)
