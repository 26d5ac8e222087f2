"""POST /ideations: store a run with its parameters, start its job and respond with 202. Calls no model."""

from shared.apps.ideation.web import NewIdeation, Operation, ideation_urls
from shared.bootstrap import core
from shared.errors import Conflict, RateLimitExceeded
from shared.jobs.creation import NewJob
from shared.jobs.job import JobLinks
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals
from shared.web.jobs import IdempotencyKey
from shared.web.runs import RunAccepted, accepted

from fastapi import Request, Response

app = create_app(Operation.CREATE_IDEATION, count_write=COUNTED_BY_SERVICE)


@app.post(
    "/ideations",
    status_code=202,
    responses=refusals(*AUTHENTICATED, *JSON_BODY, Conflict, RateLimitExceeded),
)
async def create_ideation(
    body: NewIdeation,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[RunAccepted]:
    """Create a brainstorming run and start its job. The response does not wait for the job."""
    new = NewJob("ideation", body, JobLinks(), exchange.trace_id, exchange.request_id)
    job = core().job_creation.create(user, new, idempotency_key=idempotency_key)
    run = accepted(job, ideation_urls(request))
    response.headers["Location"] = run.run_url
    return exchange.success(run, Entity.RUN)


handler = lambda_handler(app, lambda: core().job_creation)
