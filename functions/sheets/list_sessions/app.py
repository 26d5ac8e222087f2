"""GET /sessions: return the owner's sessions, newest first, in pages."""

from typing import Annotated

from shared.apps.sheets.bootstrap import session_queries
from shared.apps.sheets.session import SessionState
from shared.apps.sheets.web import Entity, Operation, SessionList, SessionUrls, detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import AUTHENTICATED, refusals

from fastapi import Query, Request

app = create_app(Operation.LIST_SESSIONS)


@app.get("/sessions", responses=refusals(*AUTHENTICATED))
async def list_sessions(
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    state: SessionState | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[SessionList]:
    """Return your sessions, newest first."""
    found, following = session_queries().list_sessions(user, state=state, limit=limit, cursor=cursor)
    urls = SessionUrls(request)
    page = SessionList(sessions=tuple(detail(each, urls) for each in found), cursor=following)
    return exchange.success(page, Entity.SESSION_LIST)


handler = lambda_handler(app, session_queries)
