"""How many jobs a second each quota lets through, from what a job was counted to use."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.storage.jobs import LIVE_SHARDS
from tools.cost.bill import COLD_SHARE
from tools.cost.counts import Counts
from tools.cost.deployed import Deployed

LIMITS_FILE = Path(__file__).with_name("limits.toml")
GOAL = 1000
"""Jobs a second."""

PARTITION_WRITES, PARTITION_READS = 1000, 3000
"""Units a second of one DynamoDB partition.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """`value` of something a second (or at a time), of which a job uses what `need` names."""

    what: str
    value: float
    unit: str
    need: str
    source: str
    raised_by: str

    def jobs_per_second(self, needs: Mapping[str, float]) -> float | None:
        """None when a job uses nothing of it."""
        need = needs[self.need]
        return self.value / need if need else None


def limits(deployed: Deployed, path: Path = LIMITS_FILE) -> list[Limit]:
    """AWS's and our own."""
    document = tomllib.loads(path.read_text())
    del document["checked"]
    own = Limit(
        "ours: `ThrottlingRateLimit` of the HTTP API in template.yaml",
        deployed.request_rate,
        "requests/s",
        "http_requests",
        "../template.yaml",
        "a number in the template: it bounds what a flood can cost",
    )
    theirs = []
    for entry in document.values():
        shards = LIVE_SHARDS if entry.pop("shards", False) else 1
        theirs.append(Limit(**{**entry, "value": float(entry["value"] * shards)}))
    return [own, *theirs]


def needs_of(counts: Counts) -> dict[str, float]:
    """What one job with one watcher uses, by the names that limits have for it."""
    nothing: Mapping[str, float] = {}
    jobs, durable = counts.tables.get("JobsTable"), counts.tables.get("DurableTable")
    indexes = nothing if jobs is None else jobs.index_units
    return {
        "executions": 1.0,
        "http_requests": counts.http_requests,
        "transitions": counts.transitions,
        "invocations": counts.invocations,
        "cold_starts": counts.invocations * COLD_SHARE,
        "lambda_seconds": sum(each.milliseconds for each in counts.functions.values()) / 1000,
        "longest_function_seconds": max(each.milliseconds for each in counts.functions.values()) / 1000,
        "jobs_writes": 0.0 if jobs is None else jobs.write_units - sum(indexes.values()),
        "jobs_reads": 0.0 if jobs is None else jobs.read_units,
        "durable_writes": 0.0 if durable is None else durable.write_units - sum(durable.index_units.values()),
        "live_index_writes": indexes.get("LiveJobs", 0.0),
    }
