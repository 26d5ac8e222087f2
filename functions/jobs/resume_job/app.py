"""POST /jobs/{jobId}/resume: start a new execution of a failed or cancelled job at its last checkpoint."""

from shared.bootstrap import core
from shared.errors import CheckpointUnfit, Conflict, RateLimitExceeded
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import BODY, OWNED, refusals
from shared.web.jobs import JobId, JobSummary, summary
from shared.web.urls import Urls

from fastapi import Request

app = create_app(Operation.RESUME_JOB, count_write=COUNTED_BY_SERVICE)


@app.post(
    "/jobs/{jobId}/resume",
    status_code=202,
    responses=refusals(*OWNED, *BODY, Conflict, CheckpointUnfit, RateLimitExceeded),
)
async def resume_job(
    job_id: JobId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[JobSummary]:
    """Resume a failed or cancelled job at its last checkpoint. Its stream continues in the same log.

    A repeat of the request before the next attempt begins returns the same job, and completes a resumption that has
    broken off.
    """
    job = core().job_resumption.resume(user, job_id, trace_id=exchange.trace_id, request_id=exchange.request_id)
    return exchange.success(summary(job, Urls(request, StreamSettings.read().stream_url)), Entity.JOB)


handler = lambda_handler(app, lambda: core().job_resumption)
