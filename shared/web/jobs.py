"""Define the wire models of the jobs API, and convert jobs to them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Path, Query
from pydantic import ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator, create_model

from shared.agents.agent import AgentRef
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.costs import usage_of
from shared.jobs.job import Fault, Job, JobLinks, JobStatus
from shared.jobs.pipeline import JobInput, Pipeline
from shared.jobs.queries import JobView
from shared.jobs.store import JobFilter
from shared.log.events import Item, Subtask
from shared.log.history import HistoryEntry
from shared.log.usage import JobUsage
from shared.schema import Schema
from shared.web.body_size import too_large
from shared.web.urls import Urls

JobId = Annotated[
    str, Path(alias="jobId", description="the job's id, from the response that created it", max_length=64)
]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="a repeat of the request with the same key within a day gets the first job and creates no second; "
        "if that job has expired, 409 without `Retry-After`: send a new key, because no repeat with this one succeeds",
    ),
]


class JobRequest(Schema):
    """The body of `POST /jobs`. Each pipeline has a variant that narrows `pipeline` and `input`."""

    model_config = ConfigDict(defer_build=False)

    pipeline: str
    input: JobInput
    links: JobLinks = Field(default=JobLinks(), description="what the job belongs to")


class JobDeleted(Schema):
    """The id of the job that was deleted, with its input, its events, its outputs and its result."""

    job_id: str


def job_request_type(pipelines: Mapping[str, Pipeline]) -> Any:
    """Return the type of `POST /jobs` bodies: a union of one JobRequest variant per pipeline, tagged by `pipeline`."""
    variants = [_by_alias_only(_variant(pipeline)) for pipeline in pipelines.values()]
    if len(variants) == 1:
        return variants[0]
    return Annotated[functools.reduce(operator.or_, variants), Field(discriminator="pipeline")]


def _by_alias_only(variant: type[JobRequest]) -> Any:
    """Return the variant such that clients send the API's names only, and not Python's, such as `page_or_component`."""

    def validate(body: Any, _: ValidatorFunctionWrapHandler) -> JobRequest:
        return variant.model_validate(body, by_alias=True, by_name=False)

    return Annotated[variant, WrapValidator(validate)]


def union_branches(pipelines: Mapping[str, Pipeline]) -> frozenset[str]:
    """Return the tags that pydantic adds to the field paths of `job_request_type`; it adds none to a single variant."""
    return frozenset(pipelines) if len(pipelines) > 1 else frozenset()


def _variant(pipeline: Pipeline) -> type[JobRequest]:
    return create_model(
        f"{pipeline.name.title().replace('-', '')}JobRequest",
        __base__=JobRequest,
        __doc__=f"A request for a job of the `{pipeline.name}` pipeline.",
        pipeline=(Literal[pipeline.name], ...),  # type: ignore[arg-type]  # a Literal that is built at run time
        input=(pipeline.input_model, ...),
    )


class JobAccepted(Schema):
    """A job that was stored and started, and the URLs at which to follow it."""

    job_id: str
    status: JobStatus
    status_url: str
    stream_url: str


class JobSummary(Schema):
    """A job without its input, output and result, as in a list."""

    job_id: str
    pipeline: str
    title: str | None = Field(
        description="what the job is about, from its input, in at most 80 characters; null if its pipeline has no "
        "title, and for a job of an earlier version"
    )
    status: JobStatus
    stage: str | None
    progress: float = Field(ge=0, le=100)
    attempt: int
    retry_count: int
    max_retries: int
    last_fault: Fault | None
    failure: Fault | None
    model: str
    agent: AgentRef | None = Field(description="the agent version that the job uses")
    usage: JobUsage
    links: JobLinks
    trace_id: str | None
    request_id: str | None
    execution_arn: str | None = Field(
        description="the Step Functions execution, to name to an operator; it holds the AWS account's number, which "
        "identifies the deployment and opens nothing"
    )
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    status_url: str
    stream_url: str
    archived: bool = Field(
        default=False,
        description="whether the job has expired and is read from the archive, which keeps it until `expiresAt`",
    )


LargeField = Literal["text", "items", "subtasks", "result"]
"""A field of a job that grows with its output."""


class JobDetail(JobSummary):
    """A job with its output so far. To watch the rest, open the stream with `lastEventId` as `Last-Event-ID`.

    A response has at most 6 MB. Fields that do not fit are empty and named in `omitted`; `lastEventId` is then 0,
    because the stream at `streamUrl` has them from its first event on.
    """

    input: dict[str, Any]
    text: str = Field(description="the text that was streamed so far")
    items: tuple[Item, ...] = Field(
        description="the finished items of long stages, in the order in which they were stored"
    )
    subtasks: tuple[Subtask, ...] = Field(description="the subtasks and tool calls, in the order in which they began")
    last_event_id: int = Field(
        description="the last event that `text`, `items`, `subtasks` and `progress` include; a completed job's "
        "`progress` is 100, also before its last events can be read"
    )
    result: dict[str, Any] | None = Field(description="the pipeline's result; null until the job is completed")
    history: tuple[HistoryEntry, ...] = Field(
        default=(),
        description="when its attempts began and their text arrived, its tool calls and subtasks, what reset its text, "
        "and how it ended; at most 500 entries",
    )
    history_is_whole: bool = Field(
        default=False,
        description="false if entries are left out, because they are too many or were no longer stored, and in the "
        "response of a server that does not send it",
    )
    omitted: tuple[LargeField, ...] = Field(
        default=(), description="the fields that are left out because the response would be too large"
    )


class JobList(Schema):
    """One page of the owner's jobs, newest first; archived ones in the order of their creation.

    Send `cursor` to get the next page; it is null on the last page.

    A page with a cursor may have fewer jobs than `limit`, or none, if few jobs match the filter: get the next page.
    """

    jobs: tuple[JobSummary, ...]
    cursor: str | None


SearchText = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=100,
        pattern=r"\S",
        description="list jobs whose `title` contains this text, whatever the case, or whose id begins with it",
    ),
]
"""The query parameter `search` of `GET /jobs`."""


class StreamTicket(Schema):
    """A ticket that opens the job's stream without a header, until `expiresAt`."""

    ticket: str
    expires_at: datetime
    stream_url: str = Field(description="the stream's URL with the ticket in it")


INPUT_FIELDS = frozenset(field.alias or name for name, field in JobInput.model_fields.items())
"""API names of the fields of a job's input that the core checks itself."""


@contextmanager
def input_fields_under(name: str) -> Iterator[None]:
    """Prefix the input's fields with `name` in InvalidInput errors, because the client wrote them under `name`."""
    try:
        yield
    except InvalidInput as refused:
        issues = [
            FieldIssue(f"{name}.{issue.field}" if issue.field in INPUT_FIELDS else issue.field, issue.rule)
            for issue in refused.issues
        ]
        raise InvalidInput(issues, code=refused.code) from None


def refuse_unclear_month(*, archived: bool, month: str | None, where: JobFilter) -> None:
    """Raise InvalidInput unless a list of archived jobs names a month or a link, and another list names no month."""
    if archived and month is None and where.link is None:
        rule = "must be a month such as 2026-11, unless you send sessionId, runId or projectId"
        raise InvalidInput([FieldIssue("month", rule)])
    if month is not None and not archived:
        raise InvalidInput([FieldIssue("month", "must be omitted, or sent with archived=true")])


def accepted(job: Job, urls: Urls) -> JobAccepted:
    """Return the wire model of a new job."""
    return JobAccepted(
        job_id=job.id, status=JobStatus.PENDING, status_url=urls.status(job.id), stream_url=urls.stream(job.id)
    )


def summary(job: Job, urls: Urls, *, archived: bool = False) -> JobSummary:
    """Return the wire model of a job for lists, without stack traces."""
    return JobSummary(**_fields(job, urls, show_stack_trace=False), archived=archived)


def detail(view: JobView, urls: Urls, *, show_stack_trace: bool) -> JobDetail:
    """Return the wire model of a job with its output so far, or as it ended if it is archived."""
    fields = _fields(view.job, urls, show_stack_trace=show_stack_trace)
    if view.transcript.seq:
        # The job item is older, because it is written only when a stage begins or ends; or it is newer, because a job
        # ends before its log does. What is shown belongs to `last_event_id`, except that a completed job is at 100.
        fields["progress"] = 100 if view.job.status is JobStatus.COMPLETED else view.transcript.progress
        fields["stage"] = view.transcript.stage or view.job.stage
    large = {
        "text": view.transcript.text,
        "items": tuple(view.transcript.items.values()),
        "subtasks": tuple(view.transcript.subtasks.values()),
        "result": view.result,
    }
    omitted = too_large(large)
    empty = {"text": "", "items": (), "subtasks": (), "result": None}
    return JobDetail(
        archived=view.archived is not None,
        history=tuple(view.archived.history) if view.archived is not None else view.transcript.history.entries,
        history_is_whole=(
            view.transcript.history.is_whole if view.archived is None else view.archived.history_is_whole
        ),
        **fields,
        **large | {name: empty[name] for name in omitted},
        input=view.job.input,
        last_event_id=0 if omitted else view.transcript.seq,
        omitted=omitted,
    )


def _fields(job: Job, urls: Urls, *, show_stack_trace: bool) -> dict[str, Any]:
    shown = JobSummary.model_fields.keys() & Job.model_fields.keys()
    fields: dict[str, Any] = {name: getattr(job, name) for name in shown}
    if job.failure is not None and not show_stack_trace:
        fields["failure"] = job.failure.model_copy(update={"stack_trace": None})
    return fields | {
        "job_id": job.id,
        "usage": usage_of(job),
        "expires_at": datetime.fromtimestamp(job.expires_at, UTC),
        "status_url": urls.status(job.id),
        "stream_url": urls.stream(job.id),
    }
