"""Watch one job of any system, over connections that the client drops and opens again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from tests.bench.peers.losses import STAMP, Losses, losses_of
from tests.bench.peers.system import Asked, ServerEvent, System, What
from tests.bench.watched_job import FIRST_TOKEN_MS, TOKENS

SUBJECT = "Benchmark"
"""The subject of watched jobs, which identifies their model calls."""

COME_BACK_AFTER = 0.1
"""Seconds before each reconnection, the same for all systems, whatever time they ask their clients to wait."""


@dataclass(slots=True)
class Seen:
    """Times in milliseconds on this machine's clock. `end` is "" if the watcher saw no end in time."""

    create_ms: float = 0
    first_delta_ms: float = 0
    lags_ms: list[float] = field(default_factory=list)
    text: str = ""
    tokens: int = 0
    end: str = ""
    connections: int = 0
    resets: int = 0
    ended_at: float = 0

    @property
    def added_to_first_delta_ms(self) -> float:
        return self.first_delta_ms - FIRST_TOKEN_MS

    @property
    def losses(self) -> Losses:
        return losses_of(self.text, TOKENS)


async def watch(
    client: httpx.AsyncClient,
    system: System,
    *,
    user: int = 0,
    drop_at: Sequence[int] = (),
    at: tuple[int, Callable[[], None]] | None = None,
    patience: float = 60,
) -> Seen:
    """Ask for a job and watch it to its end, at most `patience` seconds.

    `drop_at`: token counts at which the connection is dropped; `at`: a token count at which something is called once.
    """
    began = time.time_ns()
    asked = await system.create(client, user, SUBJECT)
    watcher = _Watcher(client, system, asked, began, list(drop_at), at)
    watcher.seen.create_ms = (time.time_ns() - began) / 1e6
    try:
        async with asyncio.timeout(patience):
            await watcher.to_the_end()
    except TimeoutError:
        pass
    watcher.seen.ended_at = time.monotonic()
    return watcher.seen


class _Watcher:
    def __init__(
        self,
        client: httpx.AsyncClient,
        system: System,
        asked: Asked,
        began: int,
        drop_at: list[int],
        at: tuple[int, Callable[[], None]] | None,
    ) -> None:
        self.seen = Seen()
        self._client = client
        self._system = system
        self._asked = asked
        self._began = began
        self._drop_at = drop_at
        self._at = at
        self._last_id = ""

    async def to_the_end(self) -> None:
        while not self.seen.end:
            dropped = False
            try:
                dropped = await self._connection()
            except httpx.TransportError:
                await asyncio.sleep(COME_BACK_AFTER)
                continue
            if not dropped and not self.seen.end:
                await self._ask_how_it_stands()

    async def _ask_how_it_stands(self) -> None:
        try:
            self.seen.end = await self._system.ended(self._client, self._asked) or ""
        except httpx.TransportError:
            return
        if not self.seen.end:
            await asyncio.sleep(COME_BACK_AFTER)

    async def _connection(self) -> bool:
        """Read one connection to its end; return true if the client itself dropped it."""
        headers = {**self._asked.headers, **({"Last-Event-ID": self._last_id} if self._last_id else {})}
        async with self._client.stream("GET", self._asked.stream_url, headers=headers) as answer:
            self.seen.connections += 1
            if answer.status_code != 200:
                return False
            async for now, block in _blocks(answer):
                event = ServerEvent.parse(block)
                what, text = self._system.read(event)
                self._last_id = event.id or self._last_id
                self._take(what, text, now)
                if self.seen.end:
                    return False
                if self._drop_at and self.seen.tokens >= self._drop_at[0]:
                    del self._drop_at[0]
                    return True
                if self._at and self.seen.tokens >= self._at[0]:
                    _, call = self._at
                    self._at = None
                    call()
        return False

    def _take(self, what: What, text: str, now: int) -> None:
        seen = self.seen
        match what:
            case "text":
                stamps = STAMP.findall(text)
                if not seen.first_delta_ms:
                    seen.first_delta_ms = (now - self._began) / 1e6
                seen.lags_ms += [(now - int(stamp)) / 1e6 for stamp in stamps]
                seen.tokens += len(stamps)
                seen.text += text
            case "reset":
                seen.resets += 1
                seen.text = text
                seen.tokens = len(STAMP.findall(text))
            case "complete" | "error" | "forgotten":
                seen.end = what
            case "other":
                pass


async def _blocks(answer: httpx.Response) -> AsyncIterator[tuple[int, str]]:
    """Yield each event's lines, with the time (ns) at which its last byte arrived."""
    rest = b""
    async for piece in answer.aiter_raw():
        now = time.time_ns()
        *whole, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
        for block in whole:
            yield now, block.decode()
