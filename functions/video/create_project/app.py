"""POST /projects: store an empty project."""

from shared.apps.video.bootstrap import projects
from shared.apps.video.web import Entity, NewProject, Operation, ProjectDetail, ProjectUrls, detail, etag_of
from shared.bootstrap import write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals
from shared.web.jobs import IdempotencyKey

from fastapi import Request, Response

app = create_app(Operation.CREATE_PROJECT, count_write=write_counter(Operation.CREATE_PROJECT))


@app.post("/projects", status_code=201, responses=refusals(*AUTHENTICATED, *JSON_BODY, Conflict))
async def create_project(
    body: NewProject,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[ProjectDetail]:
    """Create an empty project. Send it messages to fill it with scenes."""
    project = projects().create(user, body.title, body.format, idempotency_key=idempotency_key)
    created = detail(project, ProjectUrls(request))
    response.headers["Location"] = created.project_url
    response.headers["ETag"] = etag_of(project.revision)
    return exchange.success(created, Entity.PROJECT)


handler = lambda_handler(app, projects)
