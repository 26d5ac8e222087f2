"""POST /projects/{projectId}/messages: store a message, start the job that answers it, and respond with 202."""

from shared.apps.video.bootstrap import chat_messages
from shared.apps.video.messages import Origin
from shared.apps.video.web import (
    Entity,
    MessageAccepted,
    NewProjectMessage,
    Operation,
    ProjectId,
    ProjectUrls,
    message_accepted,
)
from shared.errors import Conflict, RateLimitExceeded
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals
from shared.web.jobs import IdempotencyKey

from fastapi import Request, Response

app = create_app(Operation.SEND_MESSAGE, count_write=COUNTED_BY_SERVICE)


@app.post(
    "/projects/{projectId}/messages",
    status_code=202,
    responses=refusals(*OWNED, *JSON_BODY, Conflict, RateLimitExceeded),
)
async def send_message(
    project_id: ProjectId,
    body: NewProjectMessage,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[MessageAccepted]:
    """Ask for a change of the project, or about it. With `tool` that tool is called, and no model chooses one.

    Several messages can be answered at the same time. Two that change the same scene conflict: the job of the second
    one fails with SCENE_CHANGED, and changes nothing.
    """
    origin = Origin(exchange.trace_id, exchange.request_id)
    job = chat_messages().send(user, project_id, body, origin, idempotency_key=idempotency_key)
    created = message_accepted(job, ProjectUrls(request))
    response.headers["Location"] = created.status_url
    return exchange.success(created, Entity.PROJECT_MESSAGE)


handler = lambda_handler(app, chat_messages)
