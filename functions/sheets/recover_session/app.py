"""POST /sessions/{sessionId}/recover: go back to the newest whole version, or load the file again.

If another version of the engine wrote the newest version, the load also makes the session's changes again.
"""

from shared.apps.sheets.bootstrap import session_work
from shared.apps.sheets.web import Entity, Operation, SessionId, SessionRecovered, SessionUrls, recovered
from shared.apps.sheets.work import Origin
from shared.errors import Conflict, RateLimitExceeded
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import BODY, OWNED, refusals
from shared.web.jobs import IdempotencyKey

from fastapi import Request, Response

app = create_app(Operation.RECOVER_SESSION, count_write=COUNTED_BY_SERVICE)


@app.post(
    "/sessions/{sessionId}/recover",
    responses=refusals(*OWNED, *BODY, Conflict, RateLimitExceeded)
    | {202: {"model": Envelope[SessionRecovered], "description": "No version is whole: the file is loaded again."}},
)
async def recover_session(
    session_id: SessionId,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[SessionRecovered]:
    """Make a session in the state ERROR active again."""
    origin = Origin(exchange.trace_id, exchange.request_id)
    session, job = session_work().recover(user, session_id, origin, idempotency_key=idempotency_key)
    response.status_code = 200 if job is None else 202
    return exchange.success(recovered(session, job, SessionUrls(request)), Entity.SESSION)


handler = lambda_handler(app, session_work)
