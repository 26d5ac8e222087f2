"""Server-sent events on the wire (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from shared.errors import FieldIssue, InvalidInput
from shared.log.events import Connected
from shared.log.reader import Frame

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
RETRY_MILLISECONDS = 1000
HEARTBEAT = b": heartbeat\n"
"""A comment and no blank line: a blank line would end an event, and `httpx-sse` takes it for an empty one."""


def encode_connected(event: Connected) -> bytes:
    """The first event of a connection; no `id:`, so that the client keeps the one it has."""
    return f"retry: {RETRY_MILLISECONDS}\nevent: connected\ndata: {event.model_dump_json()}\n\n".encode()


def encode_frame(frame: Frame) -> bytes:
    """JSON has no raw line breaks, so one `data:` line always does."""
    return f"id: {frame.id}\nevent: {frame.event.type}\ndata: {frame.event.model_dump_json()}\n\n".encode()


def last_event_id(header: str | None, query: str | None) -> int:
    """Where the client left off; the header, which a reconnecting `EventSource` sets, counts more than the query."""
    text = header if header not in {None, ""} else query
    if text in {None, ""}:
        return 0
    if not (text and text.isascii() and text.isdecimal() and len(text) <= 10):
        raise InvalidInput([FieldIssue("Last-Event-ID", "must be the id of an event of this stream, a whole number")])
    return int(text)
