"""GET /ideations/{runId}/active-job: return the run's live job, for a client that wants to watch it."""

from shared.apps.ideation.bootstrap import run_queries
from shared.apps.ideation.web import Operation, ideation_urls
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import OWNED, refusals
from shared.web.run_id import RunId
from shared.web.runs import ActiveJob, active_job

from fastapi import Request

app = create_app(Operation.GET_IDEATION_JOB)


@app.get("/ideations/{runId}/active-job", responses=refusals(*OWNED))
async def get_ideation_job(
    run_id: RunId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[ActiveJob]:
    """Return the run's live job and its transform. The job's stream continues after `job.lastEventId`."""
    view = run_queries().view(user, run_id)
    return exchange.success(active_job(view, ideation_urls(request)), Entity.ACTIVE_JOB)


handler = lambda_handler(app, run_queries)
