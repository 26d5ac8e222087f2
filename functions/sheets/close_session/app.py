"""POST /sessions/{sessionId}/close: close a session and cancel its jobs."""

from shared.apps.sheets.bootstrap import session_closing
from shared.apps.sheets.web import Entity, Operation, SessionDetail, SessionId, SessionUrls, detail
from shared.bootstrap import write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import BODY, OWNED, refusals

from fastapi import Request

app = create_app(Operation.CLOSE_SESSION, count_write=write_counter(Operation.CLOSE_SESSION))


@app.post("/sessions/{sessionId}/close", responses=refusals(*OWNED, *BODY))
async def close_session(
    session_id: SessionId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[SessionDetail]:
    """Close the session and cancel its jobs. It is removed a week later. A repeat changes nothing."""
    session = session_closing().close(user, session_id)
    return exchange.success(detail(session, SessionUrls(request)), Entity.SESSION)


handler = lambda_handler(app, session_closing)
