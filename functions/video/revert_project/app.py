"""POST /projects/{projectId}/revert: make a project, or one of its scenes, as it was at a revision."""

from shared.apps.video.bootstrap import projects
from shared.apps.video.web import (
    Entity,
    IfMatch,
    Operation,
    ProjectDetail,
    ProjectId,
    ProjectUrls,
    Reversion,
    detail,
    etag_of,
    expected_revision,
)
from shared.bootstrap import write_counter
from shared.errors import Conflict, PreconditionFailed
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals

from fastapi import Request, Response

app = create_app(Operation.REVERT_PROJECT, count_write=write_counter(Operation.REVERT_PROJECT))


@app.post("/projects/{projectId}/revert", responses=refusals(*OWNED, *JSON_BODY, Conflict, PreconditionFailed))
async def revert_project(
    project_id: ProjectId,
    body: Reversion,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> Envelope[ProjectDetail]:
    """Return to a revision. To undo the newest change, return to the revision before it.

    That makes a new revision, so what came later can be returned to as well.
    """
    project = projects().revert(
        user, project_id, body.revision, scene_id=body.scene_id, expected=expected_revision(if_match)
    )
    response.headers["ETag"] = etag_of(project.revision)
    return exchange.success(detail(project, ProjectUrls(request)), Entity.PROJECT)


handler = lambda_handler(app, projects)
