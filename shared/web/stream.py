"""Serve a job's events as SSE, for one connection's window and while the connection holds a stream slot."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio

from shared.errors import TransientFault
from shared.jobs.job import Job, ids_of
from shared.jobs.watcher import JobWatcher
from shared.limits.stream_slots import StreamSlots
from shared.log.events import Connected, Delta
from shared.observability import tracing
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.runtime import startup
from shared.web.sse import HEARTBEAT, encode_connected, encode_frame

RECONNECT_GRACE_SECONDS = 5
"""How long a slot is kept for its tab after the window of a connection has ended."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection of one tab.

    `holder` identifies the connection among those of its tab. `after` is the sequence number after which events are
    sent. `tab_is_named` is true if the client sent the tab's id, so that its next connection can take the slot over.
    """

    owner: str
    tab: str
    holder: str
    after: int
    tab_is_named: bool

    @classmethod
    def of_tab(cls, owner: str, tab: str | None, *, after: int) -> Connection:
        """Return a new connection. Each connection of a client that does not name its tab counts as a separate tab."""
        holder = secrets.token_hex(8)
        return cls(owner, tab or holder, holder, after, tab_is_named=tab is not None)


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

    async def serve(self, job: Job, connection: Connection) -> AsyncIterator[bytes]:
        """Yield SSE bytes until the terminal event, the end of the window, or the loss of the slot.

        A transient fault of the storage ends the connection, too: the client reconnects and continues.
        """
        began = last_sent = renewed = time.monotonic()
        end = "disconnected"
        waiting_for_delta = connection.after == 0
        # The stream belongs to the job's trace; the request that opened it has its own trace.
        span = tracing.start_span("stream", at=tracing.header_for(job.trace_id), **ids_of(job))
        try:
            yield encode_connected(Connected(job_id=job.id, pipeline=job.pipeline, last_event_id=connection.after))
            async for frame in self._watcher.follow(job.id, after=connection.after):
                now = time.monotonic()
                if frame is not None:
                    if waiting_for_delta and isinstance(frame.event, Delta):
                        waiting_for_delta = False
                        metrics.first_delta(now - began, pipeline=job.pipeline)
                    yield encode_frame(frame)
                    last_sent = now
                elif now - last_sent >= self._times.heartbeat:
                    yield HEARTBEAT
                    last_sent = now
                if now - began >= self._times.window:
                    end = "window"
                    return
                if now - renewed >= self._slots.lease_seconds / 3:
                    renewed = now
                    if not await self._renew(connection):
                        end = "taken_over"
                        return
            end = "finished"
        except TransientFault as fault:
            # The status is sent already, so end the connection: the client reconnects with its last event id.
            end = "unavailable"
            span.failed(fault)
            log.warning("stream interrupted", **ids_of(job), code=fault.code)
        finally:
            # If the client has disconnected, this task is cancelled. Inside the shield it can still release its slot.
            with anyio.CancelScope(shield=True):
                reconnects = end == "window" and connection.tab_is_named
                await self._release(connection, RECONNECT_GRACE_SECONDS if reconnects else 0)
            metrics.stream_ended(time.monotonic() - began, pipeline=job.pipeline, reason=end)
            span.annotate(reason=end)
            span.end()
            startup.finish()

    async def _renew(self, connection: Connection) -> bool:
        return await asyncio.to_thread(self._slots.renew, connection.owner, connection.tab, connection.holder)

    async def _release(self, connection: Connection, grace_seconds: float) -> None:
        await asyncio.to_thread(
            self._slots.release, connection.owner, connection.tab, connection.holder, grace_seconds=grace_seconds
        )
