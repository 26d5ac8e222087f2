"""POST /sessions/{sessionId}/messages: store a message, start the job that answers it, and respond with 202."""

from shared.apps.sheets.bootstrap import session_work
from shared.apps.sheets.web import NewMessage, Operation, SessionId, SessionUrls
from shared.apps.sheets.work import Origin
from shared.errors import Conflict, RateLimitExceeded
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals
from shared.web.jobs import IdempotencyKey, JobAccepted, accepted

from fastapi import Request, Response

app = create_app(Operation.CREATE_MESSAGE, count_write=COUNTED_BY_SERVICE)


@app.post(
    "/sessions/{sessionId}/messages",
    status_code=202,
    responses=refusals(*OWNED, *JSON_BODY, Conflict, RateLimitExceeded),
)
async def create_message(
    session_id: SessionId,
    body: NewMessage,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[JobAccepted]:
    """Ask about the workbook, or ask for a change. One answer of a session runs at a time."""
    origin = Origin(exchange.trace_id, exchange.request_id)
    job = session_work().ask(user, session_id, body, origin, idempotency_key=idempotency_key)
    created = accepted(job, SessionUrls(request))
    response.headers["Location"] = created.status_url
    return exchange.success(created, Entity.JOB)


handler = lambda_handler(app, session_work)
