"""POST /sessions/{sessionId}/undo: go back to the version before the newest change."""

from shared.apps.sheets.bootstrap import cell_edits
from shared.apps.sheets.web import (
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
from shared.web.errors import BODY, OWNED, refusals

app = create_app(Operation.UNDO_CHANGE, count_write=write_counter(Operation.UNDO_CHANGE))


@app.post("/sessions/{sessionId}/undo", responses=refusals(*OWNED, *BODY, Conflict, PreconditionFailed))
async def undo_change(
    session_id: SessionId, user: CurrentUser, exchange: CurrentExchange, if_match: IfMatch = None
) -> Envelope[VersionDetail]:
    """Undo the newest change, or all changes of the newest answer. The undo is a version too, and can be redone."""
    version = cell_edits().undo(user, session_id, expected=expected_version(if_match))
    return exchange.success(version_detail(version), Entity.VERSION)


handler = lambda_handler(app, cell_edits)
