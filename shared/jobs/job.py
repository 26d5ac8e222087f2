"""The job: its stored fields, its statuses, and the faults and links that it refers to."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.agents.agent import AgentRef
from shared.errors import ErrorCode
from shared.log.usage import ComputeUsage, TokenUsage
from shared.schema import Schema


class JobStatus(StrEnum):
    """The status of a job: `pending` and `in_progress` are live, the other three have ended."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Return whether the job has completed, failed or been cancelled."""
        return self not in LIVE


LIVE = frozenset({JobStatus.PENDING, JobStatus.IN_PROGRESS})
"""The statuses that can still change without a resumption."""


class LinkKind(StrEnum):
    """What a job can be linked to, by the API's field of JobLinks."""

    SESSION = "sessionId"
    RUN = "runId"
    PROJECT = "projectId"

    @property
    def noun(self) -> str:
        """Return the word for one entity of this kind."""
        return self.removesuffix("Id")


class JobLinks(Schema):
    """What the job belongs to. `GET /jobs` lists the jobs of each."""

    session_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="the id of one of your sessions; any id, if no application here has sessions",
    )
    run_id: str | None = Field(default=None, min_length=1, max_length=128, description="the id of one of your runs")
    project_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="the id of one of your projects; any id, if no application here has projects",
    )

    def by_kind(self) -> dict[LinkKind, str]:
        """Return the links that are set."""
        links = {LinkKind.SESSION: self.session_id, LinkKind.RUN: self.run_id, LinkKind.PROJECT: self.project_id}
        return {kind: entity_id for kind, entity_id in links.items() if entity_id is not None}


class Fault(Schema):
    """An error that ended an attempt or the job. It is safe to show to the owner, the stack trace only on request."""

    code: ErrorCode
    message: str
    stage: str | None = None
    attempt: int = Field(default=1, ge=1)
    retryable: bool = False
    trace_id: str | None = None
    stack_trace: str | None = None


class CheckpointRef(Schema):
    """The end of the log when a stage finished (see `LogTail`), and the fence of the attempt whose output is valid."""

    seq: int = Field(ge=0)
    log_bytes: int = Field(default=0, ge=0)
    watched: int = Field(default=0, ge=0)
    fence: str


class Job(Schema):
    """A stored job, without its events and its stages' outputs."""

    id: str
    owner: str
    pipeline: str
    title: str | None = None  # None in a job of an earlier version, and if its pipeline makes none
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
    compute: ComputeUsage | None = None  # None in a job of an earlier version
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
    expires_at: int = Field(description="Unix seconds; from then on the job no longer exists")

    def expired(self, now: datetime) -> bool:
        """Return whether the job has expired at `now`."""
        return self.expires_at <= now.timestamp()


def ids_of(job: Job) -> dict[str, str | None]:
    """Return the ids that every log line about the job has: its own, and its request's and trace's."""
    return {"job_id": job.id, "request_id": job.request_id, "trace_id": job.trace_id}
