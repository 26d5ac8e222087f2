"""The job: what is known about it, and which moves between its states are legal."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.agents.agent import AgentRef
from shared.errors import ErrorCode
from shared.log.usage import TokenUsage
from shared.schema import Schema


class JobStatus(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in LIVE


LIVE = frozenset({JobStatus.PENDING, JobStatus.IN_PROGRESS})
"""The states a job can still move on from without being resumed."""


class JobLinks(Schema):
    """What the job belongs to, in the caller's own ids."""

    session_id: str | None = Field(default=None, min_length=1, max_length=128)
    run_id: str | None = Field(default=None, min_length=1, max_length=128)
    project_id: str | None = Field(default=None, min_length=1, max_length=128)


class Fault(Schema):
    """One thing that went wrong, safe to show to the owner; `stack_trace` only on request."""

    code: ErrorCode
    message: str
    stage: str | None = None
    attempt: int = Field(default=1, ge=1)
    retryable: bool = False
    trace_id: str | None = None
    stack_trace: str | None = None


class CheckpointRef(Schema):
    """Where a finished stage left the log (`seq`, `log_bytes`), and which attempt's output counts (`fence`)."""

    seq: int = Field(ge=0)
    log_bytes: int = Field(default=0, ge=0)
    fence: str


class Job(Schema):
    """Everything stored about a job but its events and its stages' outputs."""

    id: str
    owner: str
    pipeline: str
    input: dict[str, Any]
    model: str
    agent: AgentRef | None = None
    links: JobLinks = JobLinks()
    status: JobStatus = JobStatus.PENDING
    stage: str | None = None
    progress: float = Field(default=0, ge=0, le=100)
    attempt: int = Field(default=1, ge=1)
    retry_count: int = Field(default=0, ge=0)
    max_retries: int = Field(default=3, ge=0)
    last_fault: Fault | None = None
    failure: Fault | None = None
    usage: TokenUsage = TokenUsage()
    trace_id: str | None = None
    request_id: str | None = None
    execution_arn: str | None = None
    generation: int = Field(default=1, ge=1)
    fence: str = ""
    checkpoints: dict[str, CheckpointRef] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: int = Field(description="Unix seconds; the job is not shown from then on")

    def expired(self, now: datetime) -> bool:
        return self.expires_at <= now.timestamp()


def ids_of(job: Job) -> dict[str, str | None]:
    """Return the ids that every log line about the job carries: the job, the request that started it, their trace."""
    return {"job_id": job.id, "request_id": job.request_id, "trace_id": job.trace_id}
