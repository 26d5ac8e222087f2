"""The brainstorming API on the wire: requests, answers, and how runs turn into them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from shared.agents.agent import AgentRef
from shared.apps.ideation.models import GenreShare, Group, Idea, IdeationInput, Ranked
from shared.apps.ideation.plan import genre_shares
from shared.apps.ideation.recording import GROUPS, IDEAS, RANKING
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.job import Fault, Job
from shared.runs.queries import RunView
from shared.runs.recorder import STATUS
from shared.runs.run import PARAMETERS, Artefact, Lineage, Run, Transform, TransformStatus
from shared.runs.store import RunPage
from shared.schema import Schema
from shared.web.jobs import JobDetail, Urls
from shared.web.jobs import detail as job_detail


class NewIdeation(IdeationInput):
    """A brainstorming run to be opened."""

    # Our own code may say `genre_paths`; a client may not.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class RunAccepted(Schema):
    """The run is stored and its job is started; `runUrl` is where it stays."""

    run_id: str
    job_id: str
    status: TransformStatus
    run_url: str
    active_job_url: str
    status_url: str
    stream_url: str


class RunSummary(Schema):
    """A run as its owner sees it in a list."""

    run_id: str
    title: str
    status: TransformStatus
    created_at: datetime
    updated_at: datetime
    run_url: str


class RunList(Schema):
    """One page, newest first; `cursor` asks for the next one, null on the last page."""

    runs: tuple[RunSummary, ...]
    cursor: str | None


class IdeationParameters(Schema):
    """What was asked for, as it was stored then: by the rules of that day."""

    model_config = ConfigDict(extra="ignore")

    platform: str
    genre_paths: tuple[tuple[str, ...], ...]
    genre_proportions: tuple[float, ...]
    requirements: str | None = None
    requested_at: datetime
    idea_count: int = 10
    arrangement: str = "none"
    custom_model: str | None = None
    agent_id: str | None = None


class TransformDetail(Schema):
    """One piece of work in a run; inputs and outputs name artefacts by role."""

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
    """One version of one thing; it never changes. `madeBy` is the transform whose output it is."""

    ref: str
    role: str
    version: int
    made_by: str | None
    content: dict[str, Any]
    created_at: datetime


class RunDetail(RunSummary):
    """A run with all there is of it: while it is running, the ideas so far."""

    parameters: IdeationParameters
    ideas: tuple[Idea, ...]
    genres: tuple[GenreShare, ...] = Field(description="how many ideas each genre path was to get, and has")
    ranking: tuple[Ranked, ...] | None
    groups: tuple[Group, ...] | None
    transform: TransformDetail | None


class LineageDetail(Schema):
    """Where everything in a run comes from: transforms by time, artefacts by role and version."""

    run: RunSummary
    transforms: tuple[TransformDetail, ...]
    artefacts: tuple[ArtefactDetail, ...]


class ActiveJob(Schema):
    """What is under way in a run, to be watched from `job.lastEventId` on; nulls when nothing is."""

    transform: TransformDetail | None
    job: JobDetail | None


@contextmanager
def fields_at_top_level() -> Iterator[None]:
    """A job's fields are under `input`; a client of this API has written them without."""
    try:
        yield
    except InvalidInput as refused:
        issues = [FieldIssue(issue.field.removeprefix("input."), issue.rule) for issue in refused.issues]
        raise InvalidInput(issues, code=refused.code) from None


def accepted(job: Job, urls: Urls) -> RunAccepted:
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


def summary(run: Run, urls: Urls) -> RunSummary:
    return RunSummary(**_fields(run, urls))


def page(found: RunPage, urls: Urls) -> RunList:
    return RunList(runs=tuple(summary(run, urls) for run in found.runs), cursor=found.cursor)


def detail(view: RunView, urls: Urls) -> RunDetail:
    parameters = IdeationParameters.model_validate(_content(view.lineage, PARAMETERS))
    ideas = _ideas(view)
    return RunDetail(
        **_fields(view.run, urls),
        parameters=parameters,
        ideas=ideas,
        genres=tuple(genre_shares(parameters, ideas)),
        ranking=_content(view.lineage, RANKING).get(RANKING),
        groups=_content(view.lineage, GROUPS).get(GROUPS),
        transform=transform_detail(view.transform) if view.transform else None,
    )


def lineage_detail(lineage: Lineage, urls: Urls) -> LineageDetail:
    return LineageDetail(
        run=summary(lineage.run, urls),
        transforms=tuple(map(transform_detail, lineage.transforms)),
        artefacts=tuple(map(_artefact_detail, lineage.artefacts)),
    )


def active_job(view: RunView, urls: Urls) -> ActiveJob:
    if view.job is None or view.transform is None:
        return ActiveJob(transform=None, job=None)
    return ActiveJob(transform=transform_detail(view.transform), job=job_detail(view.job, urls, show_stack_trace=False))


def transform_detail(transform: Transform) -> TransformDetail:
    shown = TransformDetail.model_fields.keys() & Transform.model_fields.keys()
    return TransformDetail(transform_id=transform.id, **{name: getattr(transform, name) for name in shown})


def _artefact_detail(artefact: Artefact) -> ArtefactDetail:
    shown = ArtefactDetail.model_fields.keys() & Artefact.model_fields.keys()
    fields = {name: getattr(artefact, name) for name in shown}
    return ArtefactDetail(ref=artefact.ref, made_by=artefact.transform_id, **fields)


def _fields(run: Run, urls: Urls) -> dict[str, Any]:
    shown = RunSummary.model_fields.keys() & Run.model_fields.keys()
    return {"run_id": run.id, "run_url": urls.run(run.id), **{name: getattr(run, name) for name in shown}}


def _ideas(view: RunView) -> tuple[Idea, ...]:
    found: Sequence[Any] = (
        [item.data for item in view.job.transcript.items.values()]
        if view.job is not None
        else _content(view.lineage, IDEAS).get(IDEAS, ())
    )
    return tuple(map(Idea.model_validate, found))


def _content(lineage: Lineage, role: str) -> dict[str, Any]:
    artefact = lineage.latest(role)
    return {} if artefact is None else artefact.content
