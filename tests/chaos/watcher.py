"""A watcher whose connections break, which keeps every event and records every error."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import aconnect_sse

from tests.api_user import TERMINAL, Event
from tests.chaos.plan import Moment, WatcherPlan

STEADY = "steady"
_BUSY = {429, 503}
"""Responses after which a watcher reconnects: no slot is free, or DynamoDB is throttling."""


class Sights:
    """The sights of one job until now, and the tasks that wait for a moment; `is_whole` checks the job's text."""

    def __init__(self, is_whole: Callable[[str], bool]) -> None:
        self._is_whole = is_whole
        self._counts: Counter[str] = Counter()
        self._text = ""
        self._waiting: list[asyncio.Future[None]] = []

    def begin_generation(self) -> None:
        """Count from the beginning again, because the job is being resumed."""
        self._counts.clear()

    def saw(self, sight: str) -> None:
        self._counts[sight] += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def saw_event(self, event: Event) -> None:
        match event.type:
            case "delta":
                self._text += event.data["text"]
                self.saw("delta")
                if self._is_whole(self._text):
                    self.saw("whole")
            case "reset" | "snapshot":
                self._text = event.data["text"]
                self.saw(event.type)
            case "stage":
                self.saw("stage")
                if event.data["index"] == event.data["of"]:
                    self.saw("last")
            case kind if kind in TERMINAL:
                self.saw("end")
            case kind:
                self.saw(kind)

    @property
    def has_ended(self) -> bool:
        """Return whether the job's end was seen."""
        return bool(self._counts["end"])

    async def reach(self, moment: Moment) -> bool:
        """Wait for the moment; return false if the job ended before it."""
        while self._counts[moment.sight] < moment.count:
            if self._counts["end"]:
                return False
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        await asyncio.sleep(moment.delay)
        return True


@dataclass(slots=True)
class Watcher:
    """One watcher of one job. `events` are the events with an id that it received, in order.

    `kind` says which watcher it is. `returned_at` has the number of its events at each return after a resumption; a
    watcher that only came after one begins with the events of another.
    """

    client: httpx.AsyncClient
    url: str
    kind: str
    tab: str
    plan: WatcherPlan
    sights: Sights
    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    connections: int = 0
    refused: int = 0
    ended_at: float | None = None
    returned_at: list[int] = field(default_factory=list)
    _drops_made: int = 0

    @property
    def steady(self) -> bool:
        """Return whether the moments of the job's plan are what this watcher sees."""
        return self.kind == STEADY

    async def watch(self) -> None:
        """Read the stream to the terminal event, over any number of connections."""
        await self.sights.reach(self.plan.joins)
        while not self.has_seen_the_end:
            try:
                await self._connect()
            except httpx.TransportError as error:
                self.problems.append(f"connection {self.connections} broke by itself: {error!r}")
                await asyncio.sleep(0.2)

    def come_back(self, generations: int) -> None:
        """Prepare to read on, because the job was resumed; this many generations have begun since the last return."""
        self.returned_at += [len(self.events)] * generations

    async def ask_after_the_end(self) -> None:
        """Connect once more, as EventSource does; the response must say that nothing follows."""
        answer = await self.client.get(self.url, params={"tab": self.tab}, headers=self._resume())
        if answer.status_code != 204 and answer.status_code not in _BUSY:
            self.problems.append(f"coming back after the end was answered {answer.status_code}")

    @property
    def has_seen_the_end(self) -> bool:
        return self._is_at_the_end()

    def _is_at_the_end(self) -> bool:
        new = self.events[self.returned_at[-1] :] if self.returned_at else self.events
        return bool(new) and new[-1].type in TERMINAL

    @property
    def generations(self) -> list[list[Event]]:
        """Return the events, divided at each return after a resumption."""
        positions = [0, *self.returned_at, len(self.events)]
        return [self.events[first:after] for first, after in itertools.pairwise(positions)]

    @property
    def has_snapshot(self) -> bool:
        """Return whether a snapshot has replaced some events."""
        return any(event.type == "snapshot" for event in self.events)

    @property
    def last_id(self) -> int:
        return self.events[-1].id or 0 if self.events else 0

    async def _connect(self) -> None:
        async with aconnect_sse(
            self.client, "GET", self.url, params={"tab": self.tab}, headers=self._resume()
        ) as source:
            if source.response.status_code in _BUSY:
                self.refused += 1
                await asyncio.sleep(0.3)
                return
            if source.response.status_code != 200:
                body = (await source.response.aread()).decode()
                self.problems.append(f"connecting was answered {source.response.status_code}: {body[:300]}")
                await asyncio.sleep(1)
                return
            self.connections += 1
            received = 0
            async for sent in source.aiter_sse():
                if not sent.data:
                    continue  # a heartbeat
                # The decoder repeats the last id for an event without one; only `connected` has none.
                if sent.event == "connected":
                    continue
                self._take(Event.of(sent))
                received += 1
                if self.has_seen_the_end:
                    return
                if drop := self._drop_after(received):
                    break
            else:
                return
        await asyncio.sleep(drop)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if event.type in TERMINAL:
            self.ended_at = time.time()
        if self.steady:
            self.sights.saw_event(event)

    def _drop_after(self, received: int) -> float | None:
        """Return the seconds until the reconnection if the connection must break now; None if it must not."""
        if self._drops_made == len(self.plan.drops) or received < self.plan.drops[self._drops_made].after:
            return None
        self._drops_made += 1
        return self.plan.drops[self._drops_made - 1].away + 0.001

    def _resume(self) -> dict[str, Any]:
        return {"Last-Event-ID": str(self.last_id)} if self.last_id else {}
