"""GET /projects/{projectId}/renders: return a page of the project's renders."""

from typing import Annotated

from shared.apps.video.bootstrap import render_queries
from shared.apps.video.rendering.wire import RenderList, render_list
from shared.apps.video.web import Entity, Operation, ProjectId, ProjectUrls
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query, Request

app = create_app(Operation.LIST_RENDERS)


@app.get("/projects/{projectId}/renders", responses=refusals(*OWNED))
async def list_renders(
    project_id: ProjectId,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
) -> Envelope[RenderList]:
    """Return one page of the project's renders, newest first."""
    page, following = render_queries().page(user, project_id, limit=limit, cursor=cursor)
    return exchange.success(render_list(page, following, ProjectUrls(request)), Entity.RENDER_LIST)


handler = lambda_handler(app, render_queries)
