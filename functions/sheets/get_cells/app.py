"""GET /sessions/{sessionId}/cells: return the cells of a range, or 304 if the client has them."""

from typing import Annotated

from shared.apps.sheets.bootstrap import cells_query
from shared.apps.sheets.web import Cells, Entity, Operation, SessionId, cells
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.conditional import NOT_MODIFIED, REVALIDATE, IfNoneMatch, is_current, not_modified
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

from fastapi import Query, Response

IMMUTABLE = "private, max-age=31536000, immutable"
"""Cache-Control of the cells of one version, which never change."""

app = create_app(Operation.GET_CELLS)


@app.get(
    "/sessions/{sessionId}/cells",
    responses=refusals(*OWNED, Conflict) | NOT_MODIFIED,
    response_model=Envelope[Cells],
)
async def get_cells(
    session_id: SessionId,
    user: CurrentUser,
    exchange: CurrentExchange,
    response: Response,
    sheet: Annotated[str, Query(min_length=1, max_length=100, description="the name of the sheet")],
    area: Annotated[
        str, Query(alias="range", min_length=1, max_length=40, description="such as `A1:D50`: at most 32,768 cells")
    ],
    version: Annotated[
        int | None, Query(ge=1, le=999_999_999, description="an older version; the newest one if it is left out")
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Envelope[Cells] | Response:
    """Return the cells of a range. The `ETag` changes only with the cells of the range's blocks."""
    found = cells_query().find(user, session_id, sheet=sheet, cells=area, version=version)
    cache_control = IMMUTABLE if found.pinned else REVALIDATE
    if is_current(found.etag, if_none_match):
        return not_modified(Operation.GET_CELLS, found.etag, cache_control=cache_control)
    content = cells(found, cells_query().read(found))
    response.headers["ETag"], response.headers["Cache-Control"] = found.etag, cache_control
    return exchange.success(content, Entity.CELLS)


handler = lambda_handler(app, cells_query)
