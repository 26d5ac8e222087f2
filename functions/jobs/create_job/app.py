"""POST /jobs: check the input, store a job, start its execution and respond with 202. Calls no model."""

from typing import TYPE_CHECKING

from shared.bootstrap import core
from shared.errors import Conflict, RateLimitExceeded
from shared.jobs.creation import NewJob
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals
from shared.web.jobs import IdempotencyKey, JobAccepted, accepted, input_fields_under, job_request_type, union_branches
from shared.web.urls import Urls

from fastapi import Request, Response

if TYPE_CHECKING:
    from shared.web.jobs import JobRequest
else:
    JobRequest = job_request_type(core().ports.pipelines)

app = create_app(
    Operation.CREATE_JOB, count_write=COUNTED_BY_SERVICE, union_branches=union_branches(core().ports.pipelines)
)


@app.post(
    "/jobs",
    status_code=202,
    responses=refusals(*AUTHENTICATED, *JSON_BODY, Conflict, RateLimitExceeded),
)
async def create_job(
    body: JobRequest,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[JobAccepted]:
    """Create a job and start it. The response does not wait for the job."""
    new = NewJob(body.pipeline, body.input, body.links, exchange.trace_id, exchange.request_id)
    with input_fields_under("input"):
        job = core().job_creation.create(user, new, idempotency_key=idempotency_key)
    created = accepted(job, Urls(request, StreamSettings.read().stream_url))
    response.headers["Location"] = created.status_url
    return exchange.success(created, Entity.JOB)


handler = lambda_handler(app, lambda: core().job_creation)
