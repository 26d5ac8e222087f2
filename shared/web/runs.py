"""Define the wire models that runs of every kind share, and convert runs to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Request

from shared.agents.agent import AgentRef
from shared.jobs.job import Fault, Job
from shared.runs.queries import RunView
from shared.runs.recorder import STATUS
from shared.runs.run import Artefact, Lineage, Run, Transform, TransformStatus
from shared.runs.store import RunPage
from shared.schema import Schema
from shared.web.body_size import kept_within
from shared.web.jobs import JobDetail
from shared.web.jobs import detail as job_detail
from shared.web.urls import Urls


class RunUrls(Urls):
    """Build the URLs of runs of one kind; `collection` is their path, such as `/ideations`."""

    def __init__(self, request: Request, stream_url: str, *, collection: str) -> None:
        super().__init__(request, stream_url)
        self._collection = collection

    def run(self, run_id: str) -> str:
        """Return the URL of the run."""
        return self.api(f"{self._collection}/{run_id}")


class RunAccepted(Schema):
    """A run that was stored and whose job was started. Keep `runUrl`: the job expires, the run does not."""

    run_id: str
    job_id: str
    status: TransformStatus
    run_url: str
    active_job_url: str
    status_url: str
    stream_url: str


class RunSummary(Schema):
    """A run without its artefacts, as in a list."""

    run_id: str
    title: str
    status: TransformStatus
    created_at: datetime
    updated_at: datetime
    run_url: str


class RunList(Schema):
    """One page of the owner's runs, newest first. Send `cursor` to get the next page; it is null on the last page.

    A page with a cursor may have fewer runs than `limit`, or none, if few runs match the filter: get the next page.
    """

    runs: tuple[RunSummary, ...]
    cursor: str | None


class TransformDetail(Schema):
    """One piece of work in a run. `inputs` and `outputs` name artefacts by their role."""

    transform_id: str
    kind: str
    status: TransformStatus
    job_id: str | None
    model: str | None
    agent: AgentRef | None
    retry_count: int
    max_retries: int
    inputs: dict[str, str]
    outputs: dict[str, str]
    failure: Fault | None
    created_at: datetime
    ended_at: datetime | None


class ArtefactDetail(Schema):
    """One version of one role in a run; it never changes. `madeBy` is the transform that wrote it.

    `contentOmitted` is true if the content is empty here, because the response would be too large: the older versions
    are left out first.
    """

    ref: str
    role: str
    version: int
    made_by: str | None
    content: dict[str, Any]
    content_omitted: bool = False
    created_at: datetime


class LineageDetail(Schema):
    """How everything in a run came about: transforms in order of time, artefacts by role and version."""

    run: RunSummary
    transforms: tuple[TransformDetail, ...]
    artefacts: tuple[ArtefactDetail, ...]


class ActiveJob(Schema):
    """The live job of a run and its transform; both are null if no job is live.

    To watch the job, open its stream with `job.lastEventId` as `Last-Event-ID`.
    """

    transform: TransformDetail | None
    job: JobDetail | None


def accepted(job: Job, urls: RunUrls) -> RunAccepted:
    """Return the wire model of a new run, from the job that its creation started."""
    run_id = str(job.links.run_id)
    return RunAccepted(
        run_id=run_id,
        job_id=job.id,
        status=STATUS[job.status],
        run_url=urls.run(run_id),
        active_job_url=f"{urls.run(run_id)}/active-job",
        status_url=urls.status(job.id),
        stream_url=urls.stream(job.id),
    )


def summary(run: Run, urls: RunUrls) -> RunSummary:
    """Return the wire model of a run for lists."""
    return RunSummary(**run_fields(run, urls))


def page(found: RunPage, urls: RunUrls) -> RunList:
    """Return the wire model of one page of runs."""
    return RunList(runs=tuple(summary(run, urls) for run in found.runs), cursor=found.cursor)


def lineage_detail(lineage: Lineage, urls: RunUrls) -> LineageDetail:
    """Return the wire model of a lineage."""
    newest_first = sorted(lineage.artefacts, key=lambda each: (each.version, each.created_at), reverse=True)
    kept = kept_within(each.content for each in newest_first)
    shown = {each.ref for each, fits in zip(newest_first, kept, strict=True) if fits}
    return LineageDetail(
        run=summary(lineage.run, urls),
        transforms=tuple(map(transform_detail, lineage.transforms)),
        artefacts=tuple(_artefact_detail(each, omitted=each.ref not in shown) for each in lineage.artefacts),
    )


def active_job(view: RunView, urls: RunUrls) -> ActiveJob:
    """Return the wire model of a run's live job."""
    if view.job is None or view.transform is None:
        return ActiveJob(transform=None, job=None)
    return ActiveJob(transform=transform_detail(view.transform), job=job_detail(view.job, urls, show_stack_trace=False))


def transform_detail(transform: Transform) -> TransformDetail:
    """Return the wire model of a transform."""
    shown = TransformDetail.model_fields.keys() & Transform.model_fields.keys()
    return TransformDetail(transform_id=transform.id, **{name: getattr(transform, name) for name in shown})


def _artefact_detail(artefact: Artefact, *, omitted: bool) -> ArtefactDetail:
    shown = ArtefactDetail.model_fields.keys() & Artefact.model_fields.keys()
    fields = {name: getattr(artefact, name) for name in shown}
    if omitted:
        fields["content"] = {}
    return ArtefactDetail(ref=artefact.ref, made_by=artefact.transform_id, content_omitted=omitted, **fields)


def run_fields(run: Run, urls: RunUrls) -> dict[str, Any]:
    """Return the values of RunSummary's fields, by their Python names."""
    shown = RunSummary.model_fields.keys() & Run.model_fields.keys()
    return {"run_id": run.id, "run_url": urls.run(run.id), **{name: getattr(run, name) for name in shown}}


def latest_content(lineage: Lineage, role: str) -> dict[str, Any]:
    """Return the content of the role's newest artefact; empty if the run has none."""
    artefact = lineage.latest(role)
    return {} if artefact is None else artefact.content
