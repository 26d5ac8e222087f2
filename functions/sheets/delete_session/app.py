"""DELETE /sessions/{sessionId}: close a session, and remove it with everything that belongs to it."""

from shared.apps.sheets.bootstrap import session_closing
from shared.apps.sheets.web import Entity, Operation, SessionDeleted, SessionId
from shared.bootstrap import write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

app = create_app(Operation.DELETE_SESSION, count_write=write_counter(Operation.DELETE_SESSION))


@app.delete("/sessions/{sessionId}", responses=refusals(*OWNED))
async def delete_session(
    session_id: SessionId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[SessionDeleted]:
    """Delete the session permanently, with its file, versions, messages and jobs."""
    session_closing().delete(user, session_id)
    return exchange.success(SessionDeleted(session_id=session_id), Entity.SESSION)


handler = lambda_handler(app, session_closing)
