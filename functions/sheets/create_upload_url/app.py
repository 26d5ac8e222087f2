"""POST /sessions/{sessionId}/upload-urls: return a new URL for the session's upload, of another file if wanted."""

from shared.apps.sheets.bootstrap import session_uploads
from shared.apps.sheets.web import (
    Entity,
    NewUploadUrl,
    Operation,
    SessionId,
    SessionUrls,
    SessionWithUpload,
    new_file,
    with_upload,
)
from shared.bootstrap import write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals

from fastapi import Request

app = create_app(Operation.CREATE_UPLOAD_URL, count_write=write_counter(Operation.CREATE_UPLOAD_URL))


@app.post("/sessions/{sessionId}/upload-urls", status_code=201, responses=refusals(*OWNED, *JSON_BODY, Conflict))
async def create_upload_url(
    session_id: SessionId,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    body: NewUploadUrl | None = None,
) -> Envelope[SessionWithUpload]:
    """Return a new URL for the upload: the one before has expired, or another file is wanted."""
    file = new_file(body.file) if body is not None and body.file is not None else None
    session, upload = session_uploads().upload_url(user, session_id, file)
    return exchange.success(with_upload(session, upload, SessionUrls(request)), Entity.SESSION)


handler = lambda_handler(app, session_uploads)
