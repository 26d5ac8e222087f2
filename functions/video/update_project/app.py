"""PATCH /projects/{projectId}: change the title or the format of a project."""

from shared.apps.video.bootstrap import projects
from shared.apps.video.web import (
    Entity,
    IfMatch,
    Operation,
    ProjectDetail,
    ProjectId,
    ProjectUpdate,
    ProjectUrls,
    detail,
    etag_of,
    expected_revision,
)
from shared.bootstrap import write_counter
from shared.errors import PreconditionFailed
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals

from fastapi import Request, Response

app = create_app(Operation.UPDATE_PROJECT, count_write=write_counter(Operation.UPDATE_PROJECT))


@app.patch("/projects/{projectId}", responses=refusals(*OWNED, *JSON_BODY, PreconditionFailed))
async def update_project(
    project_id: ProjectId,
    body: ProjectUpdate,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> Envelope[ProjectDetail]:
    """Set the title or the format. That is a revision too, so it can be undone."""
    project = projects().update(
        user,
        project_id,
        title=body.title,
        video_format=body.format,
        expected=expected_revision(if_match),
    )
    response.headers["ETag"] = etag_of(project.revision)
    return exchange.success(detail(project, ProjectUrls(request)), Entity.PROJECT)


handler = lambda_handler(app, projects)
