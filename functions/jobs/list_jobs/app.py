"""GET /jobs: return the owner's jobs, newest first, in pages."""

from typing import Annotated

from shared.bootstrap import core
from shared.jobs.job import JobStatus
from shared.jobs.store import JobFilter
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import AUTHENTICATED, refusals
from shared.web.jobs import JobList, SearchText, refuse_unclear_month, summary
from shared.web.urls import Urls

from fastapi import Query, Request

app = create_app(Operation.LIST_JOBS)


@app.get("/jobs", responses=refusals(*AUTHENTICATED))
async def list_jobs(
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    pipeline: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    status: JobStatus | None = None,
    session_id: Annotated[str | None, Query(alias="sessionId", min_length=1, max_length=128)] = None,
    run_id: Annotated[str | None, Query(alias="runId", min_length=1, max_length=128)] = None,
    project_id: Annotated[str | None, Query(alias="projectId", min_length=1, max_length=128)] = None,
    search: SearchText = None,
    archived: Annotated[
        bool, Query(description="list jobs that have ended and are in the archive, in the order of their creation")
    ] = False,
    month: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$",
            description="with `archived=true`: the month in UTC in which the jobs were created, such as 2026-11; "
            "needed unless you send `sessionId`, `runId` or `projectId`",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[JobList]:
    """Return your jobs that have not expired, newest first.

    With `sessionId`, `runId` or `projectId`, only its jobs are read, and a job is in the list as soon as it is created.

    With `archived=true`, return jobs from the archive instead: those that you created in `month`, or that are linked to
    a session, run or project. A job is archived within seconds after its end, so at first it is in both lists.
    """
    where = JobFilter(pipeline, status, session_id, run_id, project_id, search)
    refuse_unclear_month(archived=archived, month=month, where=where)
    queries = core().job_queries
    if archived:
        page = queries.list_archived(user, month=month, where=where, limit=limit, cursor=cursor)
    else:
        page = queries.list_jobs(user, where=where, limit=limit, cursor=cursor)
    urls = Urls(request, StreamSettings.read().stream_url)
    jobs = tuple(summary(job, urls, archived=archived) for job in page.jobs)
    return exchange.success(JobList(jobs=jobs, cursor=page.cursor), Entity.JOB_LIST)


handler = lambda_handler(app, lambda: core().job_queries)
