"""GET /projects/{projectId}: return a project with its scenes, or 304 if it has not changed."""

from typing import Annotated

from shared.apps.video.bootstrap import project_queries
from shared.apps.video.web import (
    IMMUTABLE,
    Entity,
    Operation,
    ProjectDetail,
    ProjectId,
    ProjectUrls,
    detail,
    etag_of,
)
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.conditional import NOT_MODIFIED, REVALIDATE, IfNoneMatch, is_current, not_modified
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query, Request, Response

app = create_app(Operation.GET_PROJECT)


@app.get("/projects/{projectId}", responses=refusals(*OWNED) | NOT_MODIFIED, response_model=Envelope[ProjectDetail])
async def get_project(
    project_id: ProjectId,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    revision: Annotated[
        int | None, Query(ge=1, le=999_999_999, description="an older revision; the newest one if it is left out")
    ] = None,
    code: Annotated[bool, Query(description="whether to return the code of the scenes too")] = False,
    if_none_match: IfNoneMatch = None,
) -> Envelope[ProjectDetail] | Response:
    """Return a project with its scenes in their order. Its `ETag` changes with each revision."""
    project = project_queries().at(project_queries().owned(user, project_id), revision)
    etag, cache_control = etag_of(project.revision), REVALIDATE if revision is None else IMMUTABLE
    if is_current(etag, if_none_match):
        return not_modified(Operation.GET_PROJECT, etag, cache_control=cache_control)
    response.headers["ETag"], response.headers["Cache-Control"] = etag, cache_control
    shown = detail(project, ProjectUrls(request), project_queries().code(project) if code else None)
    return exchange.success(shown, Entity.PROJECT)


handler = lambda_handler(app, project_queries)
