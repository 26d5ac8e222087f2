"""The events that endpoints are sent: what one says about a change of a job, as the bytes that every attempt sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.errors import ErrorCode
from shared.jobs.ids import ulid_of
from shared.jobs.job import Job, JobLinks, JobStatus
from shared.jobs.transitions import JobTransition
from shared.log.usage import TokenUsage
from shared.schema import Schema
from shared.webhooks.endpoint import WebhookEventType

MOST_RESULT_BYTES = 16_384
"""The largest result, as JSON, that an event contains."""

_TYPES = {
    JobStatus.IN_PROGRESS: WebhookEventType.STARTED,
    JobStatus.COMPLETED: WebhookEventType.COMPLETED,
    JobStatus.FAILED: WebhookEventType.FAILED,
    JobStatus.CANCELLED: WebhookEventType.CANCELLED,
}

_STEPS = {JobStatus.PENDING: 1, JobStatus.IN_PROGRESS: 2}
_STEPS_PER_GENERATION = 3


class EventFailure(Schema):
    """Why a job failed."""

    code: ErrorCode
    message: str


class ResultLeftOut(StrEnum):
    """Why an event that may contain the result does not: it is larger than 16 kB, or it is no longer stored."""

    TOO_LARGE = "too_large"
    NOT_STORED = "not_stored"


def _is_none(value: object) -> bool:
    return value is None


class EventData(Schema):
    """The job after the change. It contains no input, and no output unless the endpoint asks for the result."""

    job_id: str
    pipeline: str
    status: JobStatus
    stage: str | None = Field(description="the stage that the job is in, or ended in")
    attempt: int = Field(description="the attempt at that stage, from 1")
    generation: int = Field(description="1 for a new job, one more with each resumption")
    sequence: int = Field(description="grows with each change of the job; events may arrive in another order")
    links: JobLinks
    usage: TokenUsage
    failure: EventFailure | None
    created_at: datetime
    ended_at: datetime | None
    url: str = Field(description="where the job can be read")
    result: dict[str, Any] | None = Field(
        default=None,
        exclude_if=_is_none,
        description="the job's result, if it has completed and the endpoint asks for it; otherwise absent",
    )
    result_left_out: ResultLeftOut | None = Field(
        default=None,
        exclude_if=_is_none,
        description="why the result, which the endpoint asks for, is not here; otherwise absent",
    )


class WebhookEvent(Schema):
    """The body of a webhook request. `timestamp` is the time of the change."""

    type: WebhookEventType
    timestamp: datetime
    data: EventData

    def body(self) -> str:
        """Return the JSON that is signed and sent. It is stored, so that each attempt sends the same bytes."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))


def type_of(transition: JobTransition) -> WebhookEventType:
    """Return the type of the transition's event."""
    if transition.created:
        return WebhookEventType.CREATED
    return _TYPES.get(transition.job.status, WebhookEventType.RESUMED)


def id_of(transition: JobTransition) -> str:
    """Return the id of the transition's event, such as `evt_01m7…_1_completed`: always the same for one transition."""
    job = transition.job
    return f"evt_{ulid_of(job.id)}_{job.generation}_{job.status}"


def event_of(transition: JobTransition, *, api_url: str) -> WebhookEvent:
    """Return the event of the transition, without a result. `api_url` is the address of the API, without a slash."""
    job = transition.job
    failure = job.failure
    return WebhookEvent(
        type=type_of(transition),
        timestamp=transition.changed_at,
        data=EventData(
            job_id=job.id,
            pipeline=job.pipeline,
            status=job.status,
            stage=job.stage,
            attempt=job.attempt,
            generation=job.generation,
            sequence=sequence_of(job),
            links=job.links,
            usage=job.usage,
            failure=None if failure is None else EventFailure(code=failure.code, message=failure.message),
            created_at=job.created_at,
            ended_at=job.ended_at,
            url=f"{api_url}/jobs/{job.id}",
        ),
    )


def sequence_of(job: Job) -> int:
    """Return a number that grows with every change of the job's status, also when the job is resumed."""
    return (job.generation - 1) * _STEPS_PER_GENERATION + _STEPS.get(job.status, _STEPS_PER_GENERATION)


def with_result(event: WebhookEvent, result: Mapping[str, Any] | None) -> WebhookEvent:
    """Return the event with the result of its job, or with the reason why it is left out; None: it is not stored."""
    left_out: ResultLeftOut | None = None
    if result is None:
        left_out = ResultLeftOut.NOT_STORED
    elif len(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()) > MOST_RESULT_BYTES:
        left_out = ResultLeftOut.TOO_LARGE
    inlined = None if left_out is not None else result
    data = event.data.model_copy(update={"result": inlined, "result_left_out": left_out})
    return event.model_copy(update={"data": data})
