"""PATCH /sessions/{sessionId}/cells: write cells as a new version of the workbook."""

from shared.apps.sheets.bootstrap import cell_edits
from shared.apps.sheets.ops import CellWrite
from shared.apps.sheets.web import (
    CellEditing,
    Entity,
    IfMatch,
    Operation,
    SessionId,
    VersionDetail,
    expected_version,
    version_detail,
)
from shared.bootstrap import write_counter
from shared.errors import Conflict, PreconditionFailed
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals

app = create_app(Operation.EDIT_CELLS, count_write=write_counter(Operation.EDIT_CELLS))


@app.patch("/sessions/{sessionId}/cells", responses=refusals(*OWNED, *JSON_BODY, Conflict, PreconditionFailed))
async def edit_cells(
    session_id: SessionId,
    body: CellEditing,
    user: CurrentUser,
    exchange: CurrentExchange,
    if_match: IfMatch = None,
) -> Envelope[VersionDetail]:
    """Write cells and compute the workbook again. Without `If-Match` they are written to the newest version."""
    writes = [CellWrite.model_validate(each.model_dump(exclude_unset=True)) for each in body.cells]
    version = cell_edits().edit(user, session_id, body.sheet, writes, expected=expected_version(if_match))
    return exchange.success(version_detail(version), Entity.VERSION)


handler = lambda_handler(app, cell_edits)
