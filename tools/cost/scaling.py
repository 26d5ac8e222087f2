"""Compute how many jobs per second each quota allows, from the counts of one job."""

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
"""AWS's quotas."""

GOAL = 1000
"""The goal in jobs per second."""

PARTITION_WRITES, PARTITION_READS = 1000, 3000
"""Units per second of one DynamoDB partition.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of `value` units per second, or at the same time; `need` names what a job uses of it (`needs_of`)."""

    what: str
    value: float
    unit: str
    need: str
    source: str
    raised_by: str

    def jobs_per_second(self, needs: Mapping[str, float]) -> float | None:
        """Return the jobs per second at which the limit is reached; None if a job uses nothing of it."""
        need = needs[self.need]
        return self.value / need if need else None


def limits(deployed: Deployed, path: Path = LIMITS_FILE) -> list[Limit]:
    """Return AWS's quotas and the limit that the template sets itself."""
    document = tomllib.loads(path.read_text())
    del document["checked"]
    own = Limit(
        "ours: `ThrottlingRateLimit` of the HTTP API in template.yaml",
        deployed.request_rate,
        "requests/s",
        "http_requests",
        "../template.yaml",
        "a number in the template, which limits what a flood of requests can cost",
    )
    quotas = []
    for entry in document.values():
        shards = LIVE_SHARDS if entry.pop("shards", False) else 1
        quotas.append(Limit(**{**entry, "value": float(entry["value"] * shards)}))
    return [own, *quotas]


def needs_of(counts: Counts) -> dict[str, float]:
    """Return what one job with one watcher uses, by the names in `Limit.need`."""
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
