"""POST /projects/{projectId}/renders: store a render, start the job that makes its video, and respond with 202."""

from shared.apps.video.bootstrap import render_creation
from shared.apps.video.messages import Origin
from shared.apps.video.rendering.wire import NewRender, RenderDetail, render_detail
from shared.apps.video.web import Entity, Operation, ProjectId, ProjectUrls
from shared.errors import Conflict, RateLimitExceeded, RendererMissing
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals
from shared.web.jobs import IdempotencyKey

from fastapi import Request, Response

app = create_app(Operation.CREATE_RENDER, count_write=COUNTED_BY_SERVICE)


@app.post(
    "/projects/{projectId}/renders",
    status_code=202,
    responses=refusals(*OWNED, *JSON_BODY, Conflict, RateLimitExceeded, RendererMissing),
)
async def create_render(
    project_id: ProjectId,
    body: NewRender,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[RenderDetail]:
    """Render the project to an MP4 file, as it is now or as it was at a revision.

    What is changed later does not change the video. Two renders of a user run at once; the next ones are queued, ten in
    all. Follow its job: cancel and resume it as any other one. A resumed render keeps the chunks that it has.
    """
    origin = Origin(exchange.trace_id, exchange.request_id)
    state = render_creation().create(user, project_id, body, origin, idempotency_key=idempotency_key)
    created = render_detail(state, ProjectUrls(request))
    response.headers["Location"] = created.render_url
    return exchange.success(created, Entity.RENDER)


handler = lambda_handler(app, render_creation)
