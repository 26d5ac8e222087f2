"""Hold what one job of a pipeline uses of each AWS service, on average."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GB = 1024**3
"""Bytes of a gigabyte, as AWS bills it."""

MONTH_HOURS = 730
"""Hours of a month, as AWS bills it."""

MONTH_SECONDS = MONTH_HOURS * 3600
"""Seconds of a month, as AWS bills it."""

PLATFORM_LOG_BYTES = 500
"""Log bytes that Lambda writes per invocation: START, END and REPORT with the trace id, and 26 bytes for each line."""

ACCESS_LOG_BYTES = 350
"""Bytes of one line of the HTTP API's access log, in the template's format."""

LOG_LINE_BYTES = 26
"""Bytes that CloudWatch Logs adds to each log event.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

ITEM_BYTES = 100
"""Bytes that DynamoDB's storage adds to each item and to each index entry.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""


@dataclass(frozen=True, slots=True)
class Invoked:
    """The invocations of one function per job: their number, their billed milliseconds in total, and their memory."""

    times: float
    milliseconds: float
    megabytes: int

    def gb_seconds(self, factor: float = 1.0) -> float:
        """Return the GB-seconds; `factor` is the duration of a local millisecond on AWS, in milliseconds."""
        return self.milliseconds * factor / 1000 * self.megabytes / 1024


@dataclass(frozen=True, slots=True)
class TableUse:
    """What one job uses of one table.

    `write_units` include `index_units`, which are by index. `expiring_byte_months` are bytes times the months until
    they expire. `kept_bytes` do not expire.
    """

    write_units: float
    read_units: float
    index_units: Mapping[str, float] = field(default_factory=dict)
    expiring_byte_months: float = 0.0
    kept_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What one job with one watcher uses: averages over `jobs` jobs.

    `seconds` is the time from the request for the job to its last event. `response_bytes` are those of the HTTP API,
    `streamed_bytes` those of the stream. `metrics` are the names of the custom metrics that were written, `routes` the
    routes of the HTTP API that were called.
    """

    pipeline: str
    jobs: int
    seconds: float
    functions: Mapping[str, Invoked]
    http_requests: float
    response_bytes: float
    streamed_bytes: float
    transitions: float
    tables: Mapping[str, TableUse]
    objects: float
    object_bytes: float
    log_bytes: float
    traces: float
    metrics: tuple[str, ...]
    routes: tuple[str, ...]
    model: str
    input_tokens: float
    output_tokens: float

    @property
    def invocations(self) -> float:
        """The invocations of all functions."""
        return sum(each.times for each in self.functions.values())

    @property
    def all_log_bytes(self) -> float:
        """The log bytes of the functions, of Lambda itself and of the HTTP API."""
        return self.log_bytes + self.invocations * PLATFORM_LOG_BYTES + self.http_requests * ACCESS_LOG_BYTES

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON-like values."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Counts:
        """Return the counts that `as_json` wrote."""
        return Counts(
            **{
                **document,
                "functions": {name: Invoked(**each) for name, each in document["functions"].items()},
                "tables": {name: TableUse(**each) for name, each in document["tables"].items()},
                "metrics": tuple(document["metrics"]),
                "routes": tuple(document["routes"]),
            }
        )


@dataclass(frozen=True, slots=True)
class SweepCounts:
    """What one invocation of the sweep uses if it finds no live job."""

    milliseconds: float
    read_units: float
    log_bytes: float
    metrics: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON-like values."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> SweepCounts:
        """Return the counts that `as_json` wrote."""
        return SweepCounts(**{**document, "metrics": tuple(document["metrics"])})


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the billed size in bytes of an item in DynamoDB's JSON, including the names of attributes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind in {"S", "B"}:
        return len(content.encode() if isinstance(content, str) else content)
    if kind == "N":
        return (len(content.strip("-.0")) + 1) // 2 + 1
    if kind == "L":
        return 3 + sum(1 + _value_bytes(each) for each in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(each) for name, each in content.items())
    return 1 if kind in {"BOOL", "NULL"} else sum(len(str(each).encode()) for each in content)
