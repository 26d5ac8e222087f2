"""Serve a job's events as SSE, for one connection's window and while the connection holds a stream slot."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import anyio
from fastapi.responses import StreamingResponse
from starlette.types import Send

from shared.errors import TransientFault
from shared.jobs.job import ids_of
from shared.jobs.watcher import JobWatcher, Watched
from shared.limits.stream_slots import SlotHolder, StreamSlots
from shared.log.events import Connected, Delta
from shared.log.reader import Frame
from shared.observability import metering, tracing
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.runtime import startup
from shared.web.sse import HEADERS, HEARTBEAT, encode_connected, encode_frame

RECONNECT_GRACE_SECONDS = 5
"""How long a slot is kept for its tab after the window of a connection has ended."""

OVERTIME_SECONDS = 2
"""How long after its window a connection is cut if its client does not read, so that the window cannot end it."""

SendChunk = Callable[[bytes], Awaitable[None]]
"""Send bytes to the client; wait while the client does not read."""


class Outgoing:
    """Send bytes to a client. `waits` is true while the client has not read enough to take the last bytes.

    It stays true if the task that waits is cancelled: nothing can be sent to this client any more.
    """

    def __init__(self, send: SendChunk) -> None:
        self._send = send
        self.waits = False

    async def send(self, chunk: bytes) -> None:
        """Send the bytes; wait while the client does not read."""
        self.waits = True
        await self._send(chunk)
        self.waits = False


class End(StrEnum):
    """Why a connection ended."""

    DISCONNECTED = "disconnected"
    FINISHED = "finished"
    WINDOW = "window"
    UNREAD = "unread"
    TAKEN_OVER = "taken_over"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection of one tab.

    `id` identifies the connection among those of its owner. `after` is the sequence number after which events are
    sent. `tab_is_named` is true if the client sent the tab's id, so that its next connection can take the slot over.
    """

    owner: str
    tab: str
    id: str
    after: int
    tab_is_named: bool

    @classmethod
    def of_tab(cls, owner: str, tab: str | None, *, after: int) -> Connection:
        """Return a new connection. Each connection of a client that does not name its tab counts as a separate tab."""
        connection_id = secrets.token_hex(8)
        return cls(owner, tab or connection_id, connection_id, after, tab_is_named=tab is not None)


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """Times in seconds: the longest duration of a connection, and the longest time without an event or a heartbeat."""

    window: float
    heartbeat: float


class JobStream:
    """Serve a job's events on connections that hold a slot."""

    def __init__(self, watcher: JobWatcher, slots: StreamSlots, times: StreamTimes) -> None:
        self._watcher = watcher
        self._slots = slots
        self._times = times

    def take_slot(self, connection: Connection) -> None:
        """Take a slot for the connection. Raises StreamLimitExceeded, as `StreamSlots.take` does."""
        self._slots.take(connection.owner, self._holder(connection))

    async def serve(self, watched: Watched, connection: Connection, outgoing: Outgoing) -> End:
        """Send SSE bytes until the terminal event, the end of the window, or the loss of the slot.

        A transient fault of the storage ends the connection, too: the client reconnects and continues. A client that
        does not read is cut OVERTIME_SECONDS after the window. Return why the connection ended.
        """
        began, job = time.monotonic(), watched.job
        meter = metering.current()
        if meter is not None:
            meter.watches = True
        end = End.DISCONNECTED
        # The stream belongs to the job's trace; the request that opened it has its own trace.
        span = tracing.start_span("stream", at=tracing.header_for(job.trace_id), **ids_of(job))
        try:
            end = await self._serve_while_held(watched, connection, outgoing)
        except TransientFault as fault:
            # The status is sent already, so end the connection: the client reconnects with its last event id.
            end = End.UNAVAILABLE
            span.failed(fault)
            log.warning("stream interrupted", **ids_of(job), code=fault.code)
        finally:
            # If the client has disconnected, this task is cancelled. Inside the shield it can still release its slot.
            with anyio.CancelScope(shield=True):
                reconnects = end is End.WINDOW and connection.tab_is_named
                await self._release(connection, RECONNECT_GRACE_SECONDS if reconnects else 0)
                await asyncio.to_thread(self._watcher.count_connection, job.id)
            metrics.stream_ended(time.monotonic() - began, pipeline=job.pipeline, reason=end.value)
            span.annotate(reason=end.value)
            span.end()
            startup.finish()
        return end

    async def _serve_while_held(self, watched: Watched, connection: Connection, outgoing: Outgoing) -> End:
        """Send events in one task and renew the slot in another, so that a client that does not read has its slot."""
        sending = asyncio.ensure_future(self._send_events(watched, connection, outgoing.send))
        holding = asyncio.ensure_future(self._hold_slot(connection))
        limit = self._times.window + OVERTIME_SECONDS
        try:
            await asyncio.wait((sending, holding), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                return sending.result()
            if holding.done():
                return holding.result()
            # If no bytes wait for the client, it has read everything: the database is what does not respond.
            return End.UNREAD if outgoing.waits else End.WINDOW
        finally:
            sending.cancel()
            holding.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(sending, holding, return_exceptions=True)

    async def _send_events(self, watched: Watched, connection: Connection, send: SendChunk) -> End:
        began = last_sent = time.monotonic()
        job = watched.job
        waiting_for_delta = connection.after == 0
        await send(encode_connected(Connected(job_id=job.id, pipeline=job.pipeline, last_event_id=connection.after)))
        archived = watched.archived
        events = self._watcher.follow(job.id, after=connection.after) if archived is None else _replayed(archived)
        async for frame in events:
            now = time.monotonic()
            if frame is not None:
                if waiting_for_delta and isinstance(frame.event, Delta):
                    waiting_for_delta = False
                    metrics.first_delta(now - began, pipeline=job.pipeline)
                await send(encode_frame(frame))
                last_sent = now
            elif now - last_sent >= self._times.heartbeat:
                await send(HEARTBEAT)
                last_sent = now
            if now - began >= self._times.window:
                return End.WINDOW
        return End.FINISHED

    async def _hold_slot(self, connection: Connection) -> End:
        """Renew the slot until the connection has lost it."""
        holder = self._holder(connection)
        while True:
            await asyncio.sleep(self._slots.renewal_seconds)
            if not await asyncio.to_thread(self._slots.renew, connection.owner, holder):
                return End.TAKEN_OVER

    async def _release(self, connection: Connection, grace_seconds: float) -> None:
        holder = self._holder(connection)
        await asyncio.to_thread(self._slots.release, connection.owner, holder, grace_seconds=grace_seconds)

    def _holder(self, connection: Connection) -> SlotHolder:
        grace = RECONNECT_GRACE_SECONDS if connection.tab_is_named else 0
        return SlotHolder(connection.id, connection.tab, lasts=self._times.window + grace)


async def _replayed(frames: Sequence[Frame]) -> AsyncIterator[Frame | None]:
    for frame in frames:
        yield frame


class JobStreamResponse(StreamingResponse):
    """The response of one connection that has taken its slot."""

    def __init__(self, stream: JobStream, watched: Watched, connection: Connection) -> None:
        super().__init__(content=(), headers=HEADERS)
        self._stream = stream
        self._watched = watched
        self._connection = connection

    async def stream_response(self, send: Send) -> None:
        """Send the response: its headers, the events, and its end unless the client does not read."""

        async def send_chunk(chunk: bytes) -> None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        outgoing = Outgoing(send_chunk)
        await self._stream.serve(self._watched, self._connection, outgoing)
        if not outgoing.waits:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
