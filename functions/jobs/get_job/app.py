"""GET /jobs/{jobId}: return a job's status, its output so far and its result in one response."""

from typing import Annotated, Literal

from shared.bootstrap import core
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED, refusals
from shared.web.jobs import JobDetail, JobId, detail
from shared.web.urls import Urls

from fastapi import Query, Request

app = create_app(Operation.GET_JOB)
Include = Annotated[
    Literal["stackTrace"] | None,
    Query(description="`stackTrace` adds the stack trace to the `failure` of a failed job"),
]


@app.get("/jobs/{jobId}", responses=refusals(*OWNED))
async def get_job(
    job_id: JobId, user: CurrentUser, exchange: CurrentExchange, request: Request, include: Include = None
) -> Envelope[JobDetail]:
    """Return the job as it is now. Its stream continues after `lastEventId`.

    A job that has expired is read from the archive: `archived` is true, and it is as it ended.
    """
    view = core().job_queries.view(user, job_id)
    job = detail(view, Urls(request, StreamSettings.read().stream_url), show_stack_trace=include == "stackTrace")
    return exchange.success(job, Entity.JOB)


handler = lambda_handler(app, lambda: core().job_queries)
