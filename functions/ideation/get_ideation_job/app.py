"""GET /ideations/{runId}/active-job: what is under way in the run, to reconnect to."""

from shared.bootstrap import ideation_queries
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED, refusals
from shared.web.ideations import ActiveJob, active_job
from shared.web.jobs import Urls
from shared.web.runs import RunId

from fastapi import Request

app = create_app(Operation.GET_IDEATION_JOB)


@app.get("/ideations/{runId}/active-job", responses=refusals(*OWNED))
async def get_ideation_job(
    run_id: RunId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[ActiveJob]:
    """The running transform and its job; its stream goes on after `job.lastEventId`."""
    view = ideation_queries().view(user, run_id)
    return exchange.answer(active_job(view, Urls(request, StreamSettings.read().stream_url)), Entity.ACTIVE_JOB)


handler = lambda_handler(app, ideation_queries)
