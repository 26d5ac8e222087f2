"""POST /sessions: store a session, and return the URL to which its workbook is uploaded."""

from shared.apps.sheets.bootstrap import session_uploads
from shared.apps.sheets.web import Entity, NewSession, Operation, SessionUrls, SessionWithUpload, new_file, with_upload
from shared.bootstrap import write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals
from shared.web.jobs import IdempotencyKey

from fastapi import Request, Response

app = create_app(Operation.CREATE_SESSION, count_write=write_counter(Operation.CREATE_SESSION))


@app.post("/sessions", status_code=201, responses=refusals(*AUTHENTICATED, *JSON_BODY, Conflict))
async def create_session(
    body: NewSession,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[SessionWithUpload]:
    """Create a session. Send its file to `upload.url`, then load it."""
    file = new_file(body.file)
    session, upload = session_uploads().create(user, body.title, file, idempotency_key=idempotency_key)
    created = with_upload(session, upload, SessionUrls(request))
    response.headers["Location"] = created.session_url
    return exchange.success(created, Entity.SESSION)


handler = lambda_handler(app, session_uploads)
