"""The jobs API on the wire: requests, answers, and how jobs turn into them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Path, Request
from pydantic import ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator, create_model

from shared.agents.agent import AgentRef
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.job import Fault, Job, JobLinks, JobStatus
from shared.jobs.pipeline import JobInput, Pipeline
from shared.jobs.queries import JobView
from shared.log.events import Item
from shared.log.usage import TokenUsage
from shared.schema import Schema

JobId = Annotated[str, Path(alias="jobId", description="the id that creating the job answered", max_length=64)]

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="a repeat gets the first one's answer"),
]


class JobRequest(Schema):
    """What all requests for a job have in common; each pipeline's variant narrows `pipeline` and `input`."""

    model_config = ConfigDict(defer_build=False)

    pipeline: str
    input: JobInput
    links: JobLinks = Field(default=JobLinks(), description="what the job belongs to, in your own ids")


def job_request_type(pipelines: Mapping[str, Pipeline]) -> Any:
    """The type of `POST /jobs` bodies: one JobRequest variant per pipeline, told apart by `pipeline`."""
    variants = [_by_the_names_of_the_api(_variant(pipeline)) for pipeline in pipelines.values()]
    if len(variants) == 1:
        return variants[0]
    return Annotated[functools.reduce(operator.or_, variants), Field(discriminator="pipeline")]


def _by_the_names_of_the_api(variant: type[JobRequest]) -> Any:
    """Our own code may say `page_or_component`; a client may not."""

    def validate(body: Any, _: ValidatorFunctionWrapHandler) -> JobRequest:
        return variant.model_validate(body, by_alias=True, by_name=False)

    return Annotated[variant, WrapValidator(validate)]


def union_branches(pipelines: Mapping[str, Pipeline]) -> frozenset[str]:
    """The tags pydantic puts into the field paths of `job_request_type`: none while there is one variant only."""
    return frozenset(pipelines) if len(pipelines) > 1 else frozenset()


def _variant(pipeline: Pipeline) -> type[JobRequest]:
    return create_model(
        f"{pipeline.name.title().replace('-', '')}JobRequest",
        __base__=JobRequest,
        __doc__=f"A job of the `{pipeline.name}` pipeline.",
        pipeline=(Literal[pipeline.name], ...),  # type: ignore[arg-type]  # a Literal made at run time
        input=(pipeline.input_model, ...),
    )


class JobAccepted(Schema):
    """The job is stored and started."""

    job_id: str
    status: JobStatus
    status_url: str
    stream_url: str


class JobSummary(Schema):
    """A job as its owner sees it."""

    job_id: str
    pipeline: str
    status: JobStatus
    stage: str | None
    progress: float = Field(ge=0, le=100)
    attempt: int
    retry_count: int
    max_retries: int
    last_fault: Fault | None
    failure: Fault | None
    model: str
    agent: AgentRef | None = Field(description="the version of an agent that the job was made with")
    usage: TokenUsage
    links: JobLinks
    trace_id: str | None
    request_id: str | None
    execution_arn: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    status_url: str
    stream_url: str


class JobDetail(JobSummary):
    """Everything a client needs that joins in the middle: follow the stream from `lastEventId`."""

    input: dict[str, Any]
    text: str = Field(description="what has been streamed so far")
    items: tuple[Item, ...] = Field(description="the finished items of long stages, in the order they came")
    last_event_id: int = Field(description="the last event `text`, `items` and `progress` include")
    result: dict[str, Any] | None = Field(description="the pipeline's result, once the job is completed")


class JobList(Schema):
    """One page, newest first; `cursor` asks for the next one, null on the last page."""

    jobs: tuple[JobSummary, ...]
    cursor: str | None


class StreamTicket(Schema):
    """Opens the job's stream without a header until `expiresAt`."""

    ticket: str
    expires_at: datetime
    stream_url: str = Field(description="the stream's URL with the ticket in it")


class Urls:
    """Where a job's status and stream are found."""

    def __init__(self, request: Request, stream_url: str) -> None:
        self._api = str(request.base_url).rstrip("/")
        self._stream = stream_url.rstrip("/")

    def status(self, job_id: str) -> str:
        return self.api(f"/jobs/{job_id}")

    def stream(self, job_id: str) -> str:
        return f"{self._stream}/jobs/{job_id}/stream"

    def api(self, path: str) -> str:
        """Return the URL of a path of the API, which begins with a slash."""
        return f"{self._api}{path}"


INPUT_FIELDS = frozenset(field.alias or name for name, field in JobInput.model_fields.items())
"""The fields of a job's input that the core checks, by their names in the API."""


@contextmanager
def input_fields_under(name: str) -> Iterator[None]:
    """Report the input's fields where the client wrote them: a pipeline's input is under `name` in this body."""
    try:
        yield
    except InvalidInput as refused:
        issues = [
            FieldIssue(f"{name}.{issue.field}" if issue.field in INPUT_FIELDS else issue.field, issue.rule)
            for issue in refused.issues
        ]
        raise InvalidInput(issues, code=refused.code) from None


def accepted(job: Job, urls: Urls) -> JobAccepted:
    return JobAccepted(
        job_id=job.id, status=JobStatus.PENDING, status_url=urls.status(job.id), stream_url=urls.stream(job.id)
    )


def summary(job: Job, urls: Urls) -> JobSummary:
    return JobSummary(**_fields(job, urls, show_stack_trace=False))


def detail(view: JobView, urls: Urls, *, show_stack_trace: bool) -> JobDetail:
    fields = _fields(view.job, urls, show_stack_trace=show_stack_trace)
    if not view.job.status.ended:
        # The log is ahead of the job item, which only moves when a stage does.
        fields["progress"] = view.transcript.progress
        fields["stage"] = view.transcript.stage or view.job.stage
    return JobDetail(
        **fields,
        input=view.job.input,
        text=view.transcript.text,
        items=tuple(view.transcript.items.values()),
        last_event_id=view.transcript.seq,
        result=view.result,
    )


def _fields(job: Job, urls: Urls, *, show_stack_trace: bool) -> dict[str, Any]:
    shown = JobSummary.model_fields.keys() & Job.model_fields.keys()
    fields: dict[str, Any] = {name: getattr(job, name) for name in shown}
    if job.failure is not None and not show_stack_trace:
        fields["failure"] = job.failure.model_copy(update={"stack_trace": None})
    return fields | {
        "job_id": job.id,
        "expires_at": datetime.fromtimestamp(job.expires_at, UTC),
        "status_url": urls.status(job.id),
        "stream_url": urls.stream(job.id),
    }
