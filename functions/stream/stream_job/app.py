"""GET /jobs/{jobId}/stream: send a job's events as SSE; plain ASGI, run by uvicorn behind Lambda Web Adapter."""

import asyncio
from typing import Annotated, Any

from shared.bootstrap import core, job_stream, stream_gate
from shared.errors import StreamLimitExceeded
from shared.jobs.queries import JobView
from shared.jobs.watcher import Watched, archived_frames
from shared.web.app import create_app
from shared.web.auth import bearer_token
from shared.web.envelope import Operation
from shared.web.errors import OWNED, refusals
from shared.web.jobs import JobId
from shared.web.sse import last_event_id
from shared.web.stream import Connection, JobStreamResponse

from fastapi import Header, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

app = create_app(Operation.STREAM_JOB)
Tab = Annotated[
    str | None,
    Query(min_length=1, max_length=64, description="the tab's id; the tab's next connection takes its slot over"),
]
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The job's events."},
    204: {"description": "The job has ended and the client has all its events. Do not reconnect."},
}
"""The successful responses, for the OpenAPI document."""


@app.get("/healthz", include_in_schema=False)
def healthz() -> PlainTextResponse:
    """Tell Lambda Web Adapter that the server is ready."""
    return PlainTextResponse("ok")


@app.get(
    "/jobs/{jobId}/stream",
    response_class=StreamingResponse,
    responses=RESPONSES | refusals(*OWNED, StreamLimitExceeded),
)
async def stream_job(
    request: Request,
    job_id: JobId,
    ticket: Annotated[str | None, Query(max_length=1024)] = None,
    tab: Tab = None,
    resume_header: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    resume_query: Annotated[str | None, Query(alias="lastEventId")] = None,
) -> Response:
    """Send the job's events after `Last-Event-ID`, until the last one or until the connection's window ends.

    An archived job has two events: a snapshot of everything, and its end.
    """
    owner = await stream_gate().owner(bearer_token(request), ticket, job_id)
    after = last_event_id(resume_header, resume_query)
    found = await asyncio.to_thread(core().job_queries.find, owner, job_id, consistent=False)
    if isinstance(found, JobView):
        watched = Watched(found.job, archived_frames(found, after=after))
        has_seen_all = not watched.archived
    else:
        watched = Watched(found)
        has_seen_all = await asyncio.to_thread(core().job_watcher.has_seen_terminal_event, job_id, after=after)
    if has_seen_all:
        return Response(status_code=204)
    connection = Connection.of_tab(owner, tab, after=after)
    stream = job_stream()
    await asyncio.to_thread(stream.take_slot, connection)
    return JobStreamResponse(stream, watched, connection)
