"""GET /projects: return the owner's projects, newest first, in pages."""

from typing import Annotated

from shared.apps.video.bootstrap import project_queries
from shared.apps.video.web import Entity, Operation, ProjectList, ProjectUrls, summary
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import AUTHENTICATED, refusals

from fastapi import Query, Request

app = create_app(Operation.LIST_PROJECTS)


@app.get("/projects", responses=refusals(*AUTHENTICATED))
async def list_projects(
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[ProjectList]:
    """Return your projects, newest first."""
    found, following = project_queries().list_projects(user, limit=limit, cursor=cursor)
    urls = ProjectUrls(request)
    page = ProjectList(projects=tuple(summary(each, urls) for each in found), cursor=following)
    return exchange.success(page, Entity.PROJECT_LIST)


handler = lambda_handler(app, project_queries)
