"""GET /sessions/{sessionId}/versions: return the versions of the workbook, newest first, in pages."""

from typing import Annotated

from shared.apps.sheets.bootstrap import cell_edits
from shared.apps.sheets.web import Entity, Operation, SessionId, VersionList, version_cursor, version_list
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query

app = create_app(Operation.LIST_VERSIONS)


@app.get("/sessions/{sessionId}/versions", responses=refusals(*OWNED))
async def list_versions(
    session_id: SessionId,
    user: CurrentUser,
    exchange: CurrentExchange,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=9)] = None,
) -> Envelope[VersionList]:
    """Return the session's versions, newest first: who made each, and what it changed."""
    page, before = cell_edits().versions(user, session_id, limit=limit, before=version_cursor(cursor))
    return exchange.success(version_list(page, before), Entity.VERSION_LIST)


handler = lambda_handler(app, cell_edits)
