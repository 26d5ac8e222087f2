"""The usage ledger: one line for each end of a job, with nothing of its input and output."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from shared.archive.store import OwnerKeys, UsageLedger
from shared.jobs.costs import usage_of
from shared.jobs.job import Job, JobStatus
from shared.log.usage import ComputeUsage
from shared.schema import Schema


class LedgerLine(Schema):
    """What a job has used up to one of its ends.

    A resumed job ends again: that line has the next generation, and counts what the generations before have used too.
    A line can be stored twice. So a reader takes the line of each job with the highest generation, and of those the
    one with the latest `updatedAt`. `owner` is a pseudonym, null if the owner's key was deleted. Times are in seconds.
    """

    job_id: str
    generation: int
    owner: str | None
    pipeline: str
    model: str
    agent_id: str | None = None
    status: JobStatus
    failure_code: str | None = None
    stage: str | None = None
    retry_count: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime
    updated_at: datetime
    seconds: float = Field(description="from the job's creation to this end")
    running_seconds: float | None = Field(description="from the job's first start to this end; null if it never began")
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    unreported_calls: int
    cost_usd: float | None = Field(description="of the model's tokens")
    aws_usd: float | None = Field(default=None, description="estimated, of what the job has used of AWS")
    lambda_ms: int | None = None
    lambda_gb_ms: float | None = None
    transitions: int | None = None
    write_units: float | None = None
    read_units: float | None = None
    stored_bytes: int | None = None
    tool_calls: int | None = None
    watcher_seconds: float | None = None


def line_of(job: Job, *, key: bytes | None) -> LedgerLine:
    """Return the line of an ended job. `key` is the owner's secret key."""
    ended_at = job.ended_at or job.updated_at
    cost = usage_of(job).cost
    return LedgerLine(
        job_id=job.id,
        generation=job.generation,
        owner=pseudonym(job.owner, key) if key is not None else None,
        pipeline=job.pipeline,
        model=job.model,
        agent_id=job.agent.agent_id if job.agent is not None else None,
        status=job.status,
        failure_code=job.failure.code.value if job.failure is not None else None,
        stage=job.stage,
        retry_count=job.retry_count,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=ended_at,
        updated_at=job.updated_at,
        seconds=(ended_at - job.created_at).total_seconds(),
        running_seconds=(ended_at - job.started_at).total_seconds() if job.started_at is not None else None,
        input_tokens=job.usage.input_tokens,
        output_tokens=job.usage.output_tokens,
        cached_input_tokens=job.usage.cached_input_tokens,
        reasoning_tokens=job.usage.reasoning_tokens,
        unreported_calls=job.usage.unreported_calls,
        cost_usd=job.usage.cost_usd,
        aws_usd=cost.aws_usd if cost is not None else None,
        **_resources(job.compute),
    )


_RESOURCES = (
    "lambda_ms",
    "lambda_gb_ms",
    "transitions",
    "write_units",
    "read_units",
    "stored_bytes",
    "tool_calls",
    "watcher_seconds",
)


def _resources(compute: ComputeUsage | None) -> dict[str, Any]:
    return {} if compute is None else {name: getattr(compute, name) for name in _RESOURCES}


def pseudonym(owner: str, key: bytes) -> str:
    """Return the name of the owner in the ledger: 32 hexadecimal digits, made from the owner and the key."""
    return hmac.digest(key, owner.encode(), "sha256").hex()[:32]


@dataclass(frozen=True, slots=True)
class End:
    """An end of a job, and whether the job was erased: then its owner gets no key that was not there before."""

    job: Job
    erased: bool


class UsageAccounts:
    """Write the usage ledger. Without a ledger, do nothing."""

    def __init__(self, ledger: UsageLedger | None, owner_keys: OwnerKeys) -> None:
        self._ledger = ledger
        self._owner_keys = owner_keys

    def count(self, ends: Iterable[End | None]) -> None:
        """Store the lines of one batch: one object for each day on which jobs of it have ended, in UTC.

        The object's name follows from its lines, so a batch that is delivered again replaces its own objects.
        """
        if self._ledger is None:
            return
        by_day: dict[str, list[str]] = defaultdict(list)
        for end in ends:
            if end is not None:
                line = line_of(end.job, key=self._owner_keys.of(end.job.owner, create=not end.erased))
                by_day[line.ended_at.astimezone(UTC).strftime("%Y-%m-%d")].append(line.model_dump_json())
        for day, texts in by_day.items():
            texts.sort()
            self._ledger.put(day, hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32], texts)
