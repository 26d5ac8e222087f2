"""GET /ideations/{runId}/lineage: return what everything in a run was made from, and by which transform."""

from shared.apps.ideation.bootstrap import run_queries
from shared.apps.ideation.web import Operation, ideation_urls
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import OWNED, refusals
from shared.web.run_id import RunId
from shared.web.runs import LineageDetail, lineage_detail

from fastapi import Request

app = create_app(Operation.GET_IDEATION_LINEAGE)


@app.get("/ideations/{runId}/lineage", responses=refusals(*OWNED))
async def get_ideation_lineage(
    run_id: RunId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[LineageDetail]:
    """Return all transforms and artefacts of the run."""
    lineage = run_queries().lineage(user, run_id)
    return exchange.success(lineage_detail(lineage, ideation_urls(request)), Entity.LINEAGE)


handler = lambda_handler(app, run_queries)
