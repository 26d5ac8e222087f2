"""GET /ideations/{runId}: the run from its artefacts, and from its job while that is under way."""

from shared.bootstrap import ideation_queries
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED, refusals
from shared.web.ideations import RunDetail, detail
from shared.web.jobs import Urls
from shared.web.runs import RunId

from fastapi import Request

app = create_app(Operation.GET_IDEATION)


@app.get("/ideations/{runId}", responses=refusals(*OWNED))
async def get_ideation(
    run_id: RunId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[RunDetail]:
    """The run as it is now; also long after its job has expired."""
    view = ideation_queries().view(user, run_id)
    return exchange.answer(detail(view, Urls(request, StreamSettings.read().stream_url)), Entity.RUN)


handler = lambda_handler(app, ideation_queries)
