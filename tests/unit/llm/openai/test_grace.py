"""What follows a finished output is read for as long as the grace lasts, by a clock that only tests move."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from shared.llm.model import Message, ModelRequest, TextDelta, never_spare
from shared.llm.openai import endpoint
from shared.llm.openai.chat import OpenAIChatModel

GRACE = 2.0
SAYS_X = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
STOPS = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
STOPS_WITH_X = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
MOST_READS = 1_000


class Clock(selectors.SelectSelector):
    """A selector that moves its clock by the time that it would have to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "the call waits without a limit"
        self.now += max(0.0, timeout)
        return super().select(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(endpoint, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def text_and_seconds(clock: Clock, provider: Provider) -> tuple[str, float]:
    """Return the output of a call to the provider, and the seconds that it took on the clock."""

    async def call() -> str:
        pieces = [piece async for piece in Model(provider).stream(ModelRequest("m", (Message("user", "?"),)))]
        return "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))

    def loop() -> asyncio.SelectorEventLoop:
        created = asyncio.SelectorEventLoop(clock)
        created.time = lambda: clock.now  # type: ignore[method-assign]
        return created

    began = clock.now
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(call()), clock.now - began


class Provider:
    """A provider that sends `first`, and then `again` after each `pause`; it counts how often."""

    def __init__(self, first: bytes, again: bytes, pause: Callable[[], Awaitable[object]]) -> None:
        self.sent = 0
        self._first = first
        self._again = again
        self._pause = pause

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        yield self._first
        while self.sent < MOST_READS:
            await self._pause()
            self.sent += 1
            yield self._again


class Model(OpenAIChatModel):
    """The adapter, with a provider instead of its connections."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(base_url=None, api_key=str, prices={}, grace=GRACE)
        self._provider = provider

    @contextlib.asynccontextmanager
    async def _client_for_call(self, spare: Callable[[], float] = never_spare) -> AsyncIterator[Any]:
        @contextlib.asynccontextmanager
        async def create(**_: object) -> AsyncIterator[Any]:
            yield SimpleNamespace(http_response=self._provider)

        completions = SimpleNamespace(with_streaming_response=SimpleNamespace(create=create))
        yield SimpleNamespace(chat=SimpleNamespace(completions=completions))


async def never() -> None:
    await asyncio.Event().wait()


def test_silence_behind_a_finished_output_is_read_for_the_grace(clock: Clock) -> None:
    assert text_and_seconds(clock, Provider(SAYS_X + STOPS, b"", never)) == ("x", GRACE)


def test_comments_do_not_prolong_the_grace(clock: Clock) -> None:
    provider = Provider(SAYS_X + STOPS, b": still here\n\n", lambda: asyncio.sleep(0.5))
    assert text_and_seconds(clock, provider) == ("x", GRACE)
    assert provider.sent < MOST_READS


def test_more_text_begins_the_grace_again(clock: Clock) -> None:
    class TwoMore(Provider):
        async def aiter_bytes(self) -> AsyncIterator[bytes]:
            yield STOPS_WITH_X
            for _ in range(2):
                await asyncio.sleep(1.5)
                yield STOPS_WITH_X
            await never()

    assert text_and_seconds(clock, TwoMore(b"", b"", never)) == ("xxx", 1.5 + 1.5 + GRACE)


def test_reads_that_never_wait_are_ended_by_the_grace_too(clock: Clock) -> None:
    async def no_wait() -> None:
        clock.now += 0.5

    provider = Provider(SAYS_X + STOPS, b": still here\n\n", no_wait)
    text, _ = text_and_seconds(clock, provider)
    assert text == "x"
    assert provider.sent == GRACE / 0.5
