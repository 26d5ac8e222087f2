"""GET /projects/{projectId}/renders/{renderId}: return a render with its progress, and the URL of its file."""

from shared.apps.video.bootstrap import render_queries
from shared.apps.video.rendering.wire import RenderDetail, render_detail
from shared.apps.video.web import Entity, Operation, PathRenderId, ProjectId, ProjectUrls
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Request

app = create_app(Operation.GET_RENDER)


@app.get("/projects/{projectId}/renders/{renderId}", responses=refusals(*OWNED))
async def get_render(
    project_id: ProjectId, render_id: PathRenderId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[RenderDetail]:
    """Return a render. Save its video from `downloadUrl`, which is valid for five minutes."""
    state = render_queries().get(user, project_id, render_id)
    return exchange.success(render_detail(state, ProjectUrls(request)), Entity.RENDER)


handler = lambda_handler(app, render_queries)
