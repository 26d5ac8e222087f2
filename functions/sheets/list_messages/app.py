"""GET /sessions/{sessionId}/messages: return the messages of a session, newest first, in pages."""

from typing import Annotated

from shared.apps.sheets.bootstrap import session_queries
from shared.apps.sheets.web import Entity, MessageList, Operation, SessionId, message_list
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query

app = create_app(Operation.LIST_MESSAGES)


@app.get("/sessions/{sessionId}/messages", responses=refusals(*OWNED))
async def list_messages(
    session_id: SessionId,
    user: CurrentUser,
    exchange: CurrentExchange,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[MessageList]:
    """Return the session's messages, newest first, with the status of each message's job."""
    page = session_queries().messages(user, session_id, limit=limit, cursor=cursor)
    return exchange.success(message_list(page), Entity.MESSAGE_LIST)


handler = lambda_handler(app, session_queries)
