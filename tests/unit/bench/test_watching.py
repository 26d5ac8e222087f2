"""The text that a watcher has after dropped connections, resets and terminal events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.bench.peers.process import Usage
from tests.bench.peers.system import Asked, ServerEvent, System, What
from tests.bench.peers.watching import Seen, watch
from tests.patience import PATIENCE

STAMPS = [f"{1_700_000_000_000_000_000 + number} " for number in range(6)]


class Recorded(System):
    """Serves the same events to every watcher, from its last event id on."""

    name = "recorded"

    def __init__(self, *events: tuple[What, str]) -> None:
        self._events = events
        self.asked_for: list[str] = []

    @contextlib.contextmanager
    def running(self, model_url: str) -> Iterator[None]:
        yield

    async def create(self, client: httpx.AsyncClient, user: int, subject: str) -> Asked:
        return Asked("http://recorded/stream")

    def read(self, event: ServerEvent) -> tuple[What, str]:
        return self._events[int(event.id) - 1][0], event.data

    def usage(self) -> Usage:
        return Usage(0, 0)

    def kill_worker(self) -> None:
        raise NotImplementedError

    def respond(self, request: httpx.Request) -> httpx.Response:
        last = request.headers.get("Last-Event-ID", "0")
        self.asked_for.append(last)
        numbered = list(enumerate(self._events, start=1))[int(last) :]
        blocks = [f"id: {number}\r\ndata: {text}\r\n\r\n" for number, (_, text) in numbered]
        return httpx.Response(200, content=_streamed(blocks))


async def _streamed(blocks: list[str]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block.encode()


async def seen_of(system: Recorded, *drop_at: int) -> Seen:
    async with httpx.AsyncClient(transport=httpx.MockTransport(system.respond)) as client:
        return await watch(client, system, drop_at=drop_at, patience=PATIENCE)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_a_watcher_reconnects_after_the_last_event_it_received() -> None:
    system = Recorded(*(("text", stamp) for stamp in STAMPS), ("complete", ""))
    seen = await seen_of(system, 2, 4)
    assert system.asked_for == ["0", "2", "4"]
    assert (seen.text.split(), seen.end) == ([stamp.strip() for stamp in STAMPS], "complete")


@pytest.mark.anyio
async def test_a_reset_replaces_the_text_and_counts_no_lag() -> None:
    system = Recorded(
        ("text", STAMPS[0]), ("text", STAMPS[1]), ("reset", STAMPS[0]), ("text", STAMPS[2]), ("error", "")
    )
    seen = await seen_of(system)
    assert (seen.text.split(), seen.tokens, seen.resets) == ([STAMPS[0].strip(), STAMPS[2].strip()], 2, 1)
    assert (len(seen.lags_ms), seen.end) == (3, "error")
