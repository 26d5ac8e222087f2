"""GET /ideations/{runId}/lineage: what everything in the run was made from, and by what."""

from shared.bootstrap import ideation_queries
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED, refusals
from shared.web.ideations import LineageDetail, lineage_detail
from shared.web.jobs import Urls
from shared.web.runs import RunId

from fastapi import Request

app = create_app(Operation.GET_IDEATION_LINEAGE)


@app.get("/ideations/{runId}/lineage", responses=refusals(*OWNED))
async def get_ideation_lineage(
    run_id: RunId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[LineageDetail]:
    """All transforms and artefacts of the run."""
    lineage = ideation_queries().lineage(user, run_id)
    return exchange.answer(lineage_detail(lineage, Urls(request, StreamSettings.read().stream_url)), Entity.LINEAGE)


handler = lambda_handler(app, ideation_queries)
