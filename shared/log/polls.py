"""Read logs from an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from shared.log.event_log import EventLog, LogEntry


class LogPolls(Protocol):
    """Read logs again and again, while other tasks of the event loop run."""

    async def read(self, job_id: str, *, after: int) -> Sequence[LogEntry]:
        """Return what `EventLog.read` returns without `consistent`."""


class ThreadPolls:
    """The LogPolls on any EventLog: each read is made in a thread."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def read(self, job_id: str, *, after: int) -> Sequence[LogEntry]:
        return await asyncio.to_thread(self._log.read, job_id, after=after)
