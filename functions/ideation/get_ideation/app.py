"""GET /ideations/{runId}: return a run from its artefacts, and from its job while the job is live."""

from shared.apps.ideation.bootstrap import run_queries
from shared.apps.ideation.web import Operation, RunDetail, detail, ideation_urls
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import OWNED, refusals
from shared.web.run_id import RunId

from fastapi import Request

app = create_app(Operation.GET_IDEATION)


@app.get("/ideations/{runId}", responses=refusals(*OWNED))
async def get_ideation(
    run_id: RunId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[RunDetail]:
    """Return the run as it is now. This also works after its job has expired."""
    view = run_queries().view(user, run_id)
    return exchange.success(detail(view, ideation_urls(request)), Entity.RUN)


handler = lambda_handler(app, run_queries)
