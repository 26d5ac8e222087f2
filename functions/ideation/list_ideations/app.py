"""GET /ideations: return the owner's brainstorming runs, newest first, in pages."""

from typing import Annotated

from shared.apps.ideation.bootstrap import run_queries
from shared.apps.ideation.web import Operation, ideation_urls
from shared.runs.run import TransformStatus
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import AUTHENTICATED, refusals
from shared.web.runs import RunList, page

from fastapi import Query, Request

app = create_app(Operation.LIST_IDEATIONS)


@app.get("/ideations", responses=refusals(*AUTHENTICATED))
async def list_ideations(
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    status: TransformStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[RunList]:
    """Return your brainstorming runs, newest first. Runs do not expire."""
    found = run_queries().list_runs(user, status=status, limit=limit, cursor=cursor)
    return exchange.success(page(found, ideation_urls(request)), Entity.RUN_LIST)


handler = lambda_handler(app, run_queries)
