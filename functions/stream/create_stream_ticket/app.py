"""POST /jobs/{jobId}/stream-tickets: return a ticket for clients that cannot send headers, such as `EventSource`."""

from datetime import UTC, datetime

from shared.bootstrap import core, stream_tickets, write_counter
from shared.jobs.queries import JobView
from shared.runtime.settings import StreamSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import BODY, OWNED, refusals
from shared.web.jobs import JobId, StreamTicket
from shared.web.urls import Urls

from fastapi import Request

app = create_app(Operation.CREATE_STREAM_TICKET, count_write=write_counter(Operation.CREATE_STREAM_TICKET))


@app.post("/jobs/{jobId}/stream-tickets", status_code=201, responses=refusals(*OWNED, *BODY))
async def create_stream_ticket(
    job_id: JobId, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[StreamTicket]:
    """Create a ticket that lets its holder watch this job until the job expires, and for five minutes at least.

    The ticket of an archived job is valid for five minutes.
    """
    found = core().job_queries.find(user, job_id)
    text, ticket = stream_tickets().issue(user, job_id, until=0 if isinstance(found, JobView) else found.expires_at)
    stream_url = f"{Urls(request, StreamSettings.read().stream_url).stream(job_id)}?ticket={text}"
    expires_at = datetime.fromtimestamp(ticket.expires_at, UTC)
    created = StreamTicket(ticket=text, expires_at=expires_at, stream_url=stream_url)
    return exchange.success(created, Entity.STREAM_TICKET)


handler = lambda_handler(app, lambda: core().job_queries)
