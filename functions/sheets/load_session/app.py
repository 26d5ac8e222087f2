"""POST /sessions/{sessionId}/load: start the job that loads the uploaded workbook, and respond with 202."""

from shared.apps.sheets.bootstrap import session_work
from shared.apps.sheets.web import Operation, SessionId, SessionUrls
from shared.apps.sheets.work import Origin
from shared.errors import Conflict, RateLimitExceeded
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import BODY, OWNED, refusals
from shared.web.jobs import IdempotencyKey, JobAccepted, accepted

from fastapi import Request, Response

app = create_app(Operation.LOAD_SESSION, count_write=COUNTED_BY_SERVICE)


@app.post("/sessions/{sessionId}/load", status_code=202, responses=refusals(*OWNED, *BODY, Conflict, RateLimitExceeded))
async def load_session(
    session_id: SessionId,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[JobAccepted]:
    """Load the uploaded file. The session is active when the job is completed."""
    origin = Origin(exchange.trace_id, exchange.request_id)
    job = session_work().load(user, session_id, origin, idempotency_key=idempotency_key)
    created = accepted(job, SessionUrls(request))
    response.headers["Location"] = created.status_url
    return exchange.success(created, Entity.JOB)


handler = lambda_handler(app, session_work)
