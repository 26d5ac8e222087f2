"""Encode server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from shared.errors import FieldIssue, InvalidInput
from shared.log.events import Connected
from shared.log.reader import Frame

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}
"""Headers of a stream: proxies must neither cache, nor transform, nor buffer it."""

RETRY_MILLISECONDS = 1000
"""How long a client waits before it reconnects."""

HEARTBEAT = b": heartbeat\n"
"""A comment line without a blank line after it, because `httpx-sse` would report the blank line as an empty event."""


def encode_connected(event: Connected) -> bytes:
    """Return the bytes of a connection's first event. It has no `id:`, so that the client keeps its last event id."""
    return f"retry: {RETRY_MILLISECONDS}\nevent: connected\ndata: {event.model_dump_json()}\n\n".encode()


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of one event. One `data:` line is enough, because JSON contains no raw line breaks.

    The line `at:` is the time of the event's append in Unix milliseconds. Readers of SSE ignore fields that they do not
    know.
    """
    at = "" if frame.at is None else f"at: {round(frame.at.timestamp() * 1000)}\n"
    return f"id: {frame.id}\nevent: {frame.event.type}\n{at}data: {frame.event.model_dump_json()}\n\n".encode()


def last_event_id(header: str | None, query: str | None) -> int:
    """Return the sequence number after which the client wants events; 0 if it names none.

    The header has precedence over the query, because `EventSource` sets the header when it reconnects.

    Raises InvalidInput if it is not a number of at most 10 digits.
    """
    text = header if header not in {None, ""} else query
    if text in {None, ""}:
        return 0
    if not (text and text.isascii() and text.isdecimal() and len(text) <= 10):
        raise InvalidInput(
            [FieldIssue("Last-Event-ID", "must be the id of an event of this stream, which is a whole number")]
        )
    return int(text)
