"""GET /projects/{projectId}/revisions: return the revisions of a project, newest first, in pages."""

from typing import Annotated

from shared.apps.video.bootstrap import project_queries
from shared.apps.video.web import Entity, Operation, ProjectId, RevisionList, revision_list
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query

app = create_app(Operation.LIST_REVISIONS)


@app.get("/projects/{projectId}/revisions", responses=refusals(*OWNED))
async def list_revisions(
    project_id: ProjectId,
    user: CurrentUser,
    exchange: CurrentExchange,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(min_length=1, max_length=20)] = None,
) -> Envelope[RevisionList]:
    """Return the project's revisions, newest first: why each was made, and what it changed."""
    found = project_queries().revisions(user, project_id, limit=limit, cursor=cursor)
    return exchange.success(revision_list(found), Entity.REVISION_LIST)


handler = lambda_handler(app, project_queries)
