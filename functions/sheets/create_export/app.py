"""POST /sessions/{sessionId}/exports: start the job that writes a file to download, and respond with 202."""

from shared.apps.sheets.bootstrap import export_creation
from shared.apps.sheets.web import NewExport, Operation, SessionId, SessionUrls
from shared.errors import Conflict, RateLimitExceeded
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import COUNTED_BY_SERVICE, CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import JSON_BODY, OWNED, refusals
from shared.web.jobs import IdempotencyKey, JobAccepted, accepted

from fastapi import Request, Response

app = create_app(Operation.CREATE_EXPORT, count_write=COUNTED_BY_SERVICE)


@app.post(
    "/sessions/{sessionId}/exports",
    status_code=202,
    responses=refusals(*OWNED, *JSON_BODY, Conflict, RateLimitExceeded),
)
async def create_export(
    session_id: SessionId,
    body: NewExport,
    user: CurrentUser,
    exchange: CurrentExchange,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Envelope[JobAccepted]:
    """Write the workbook as XLSX or CSV. The job's result has the `downloadUrl`, which is valid for five minutes."""
    job = export_creation().create(
        user,
        session_id,
        body,
        trace_id=exchange.trace_id,
        request_id=exchange.request_id,
        idempotency_key=idempotency_key,
    )
    created = accepted(job, SessionUrls(request))
    response.headers["Location"] = created.status_url
    return exchange.success(created, Entity.JOB)


handler = lambda_handler(app, export_creation)
