"""GET /sessions/{sessionId}: return a session, or 304 if it has not changed."""

from shared.apps.sheets.bootstrap import session_queries
from shared.apps.sheets.web import Entity, Operation, SessionDetail, SessionId, SessionUrls, detail, etag_of
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.conditional import NOT_MODIFIED, REVALIDATE, IfNoneMatch, is_current, not_modified
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Request, Response

app = create_app(Operation.GET_SESSION)


@app.get("/sessions/{sessionId}", responses=refusals(*OWNED) | NOT_MODIFIED, response_model=Envelope[SessionDetail])
async def get_session(
    session_id: SessionId,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Envelope[SessionDetail] | Response:
    """Return the session as it is now. Its `ETag` changes with each of its events."""
    session = session_queries().owned(user, session_id)
    etag = etag_of(session)
    if is_current(etag, if_none_match):
        return not_modified(Operation.GET_SESSION, etag)
    response.headers["ETag"], response.headers["Cache-Control"] = etag, REVALIDATE
    return exchange.success(detail(session, SessionUrls(request)), Entity.SESSION)


handler = lambda_handler(app, session_queries)
