"""POST /jobs/{jobId}/cancel: end a live job, its execution and its model call."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import BODY, OWNED, refusals
from shared.web.jobs import JobId, JobSummary, summary
from shared.web.urls import Urls

from fastapi import Request

app = create_app(Operation.CANCEL_JOB, count_write=write_counter(Operation.CANCEL_JOB))


@app.post("/jobs/{jobId}/cancel", responses=refusals(*OWNED, *BODY, Conflict))
async def cancel_job(
    job_id: JobId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[JobSummary]:
    """Cancel a live job. A repeat gets the same response."""
    job = core().job_cancellation.cancel(user, job_id)
    return exchange.success(summary(job, Urls(request, StreamSettings.read().stream_url)), Entity.JOB)


handler = lambda_handler(app, lambda: core().job_cancellation)
