"""What one job of a pipeline uses of each service, on average."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GB = 1024**3
MONTH_HOURS = 730
MONTH_SECONDS = MONTH_HOURS * 3600

PLATFORM_LOG_BYTES = 500
"""What Lambda itself writes of an invocation: START, END and REPORT with the trace's id, and 26 bytes for each line."""

ACCESS_LOG_BYTES = 350
"""One line of the HTTP API's access log in the template's format."""

LOG_LINE_BYTES = 26
"""What CloudWatch Logs adds to each event.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

ITEM_BYTES = 100
"""What DynamoDB's storage adds to each item and to each index entry.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""


@dataclass(frozen=True, slots=True)
class Invoked:
    """One function's part in a job: how often it runs, for how many billed milliseconds in all, with how many MB."""

    times: float
    milliseconds: float
    megabytes: int

    def gb_seconds(self, factor: float = 1.0) -> float:
        """`factor`: how long a local millisecond is on AWS."""
        return self.milliseconds * factor / 1000 * self.megabytes / 1024


@dataclass(frozen=True, slots=True)
class TableUse:
    """One table's part in a job.

    `index_units` are in `write_units`. `expiring_byte_months`: bytes times the part of a month for which they are kept;
    `kept_bytes` are kept until somebody deletes them.
    """

    write_units: float
    read_units: float
    index_units: Mapping[str, float] = field(default_factory=dict)
    expiring_byte_months: float = 0.0
    kept_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Averages over `jobs` jobs with one watcher each, but for `metrics`: the names of the custom metrics written.

    `seconds`: from asking for the job to its last event. `routes`: the HTTP API's routes that were asked.
    """

    pipeline: str
    jobs: int
    seconds: float
    functions: Mapping[str, Invoked]
    http_requests: float
    answered_bytes: float
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
        return sum(each.times for each in self.functions.values())

    @property
    def all_log_bytes(self) -> float:
        """The functions' own lines and what Lambda and the HTTP API write besides."""
        return self.log_bytes + self.invocations * PLATFORM_LOG_BYTES + self.http_requests * ACCESS_LOG_BYTES

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Counts:
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
    """One run of the sweep that finds nothing to do."""

    milliseconds: float
    read_units: float
    log_bytes: float
    metrics: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> SweepCounts:
        return SweepCounts(**{**document, "metrics": tuple(document["metrics"])})


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The size of an item in DynamoDB's JSON, names included.

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
