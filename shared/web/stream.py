"""The SSE answer: a job's events as they come, within one connection's window and one stream slot."""

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

RETURN_GRACE_SECONDS = 5
"""How long a slot is kept for the tab that was told to come back."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection of one tab: `holder` tells it from the tab's other ones.

    `returns`: the client gave the tab's id, so that its next connection is known to be the same tab's.
    """

    owner: str
    tab: str
    holder: str
    after: int
    returns: bool

    @classmethod
    def of_tab(cls, owner: str, tab: str | None, *, after: int) -> Connection:
        """A new connection; a client that does not name its tab is a tab of its own each time."""
        holder = secrets.token_hex(8)
        return cls(owner, tab or holder, holder, after, returns=tab is not None)


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """Seconds: how long a connection lasts, and between heartbeats in silence."""

    window: float
    heartbeat: float


class JobStream:
    """Serves a job's events on a connection whose slot has been taken."""

    def __init__(self, watcher: JobWatcher, slots: StreamSlots, times: StreamTimes) -> None:
        self._watcher = watcher
        self._slots = slots
        self._times = times

    async def serve(self, job: Job, connection: Connection) -> AsyncIterator[bytes]:
        """SSE bytes. Ends after the terminal event, at the end of the window, or when the slot is lost."""
        began = spoke = renewed = time.monotonic()
        end = "disconnected"
        waiting_for_delta = connection.after == 0
        # In the trace of the job, while the request it came by is in one of its own.
        span = tracing.begin("stream", at=tracing.header_for(job.trace_id), **ids_of(job))
        try:
            yield encode_connected(Connected(job_id=job.id, pipeline=job.pipeline, last_event_id=connection.after))
            async for frame in self._watcher.follow(job.id, after=connection.after):
                now = time.monotonic()
                if frame is not None:
                    if waiting_for_delta and isinstance(frame.event, Delta):
                        waiting_for_delta = False
                        metrics.first_delta(now - began, pipeline=job.pipeline)
                    yield encode_frame(frame)
                    spoke = now
                elif now - spoke >= self._times.heartbeat:
                    yield HEARTBEAT
                    spoke = now
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
            # The status line is long gone: ending here makes the client come back to where it was.
            end = "unavailable"
            span.failed(fault)
            log.warning("stream interrupted", **ids_of(job), code=fault.code)
        finally:
            # The client may be gone and this task cancelled: the slot is given back all the same.
            with anyio.CancelScope(shield=True):
                kept = end == "window" and connection.returns
                await self._release(connection, RETURN_GRACE_SECONDS if kept else 0)
            metrics.stream_ended(time.monotonic() - began, pipeline=job.pipeline, reason=end)
            span.annotate(reason=end)
            span.end()
            startup.over()

    async def _renew(self, at: Connection) -> bool:
        return await asyncio.to_thread(self._slots.renew, at.owner, at.tab, at.holder)

    async def _release(self, at: Connection, grace_seconds: float) -> None:
        await asyncio.to_thread(self._slots.release, at.owner, at.tab, at.holder, grace_seconds=grace_seconds)
