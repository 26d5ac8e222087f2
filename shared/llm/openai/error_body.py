"""Bound the body of an HTTP error response, which the SDK reads to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import httpx2

MOST_BYTES: Final = 65_536
"""Most bytes that are read of an error's body. A longer one is cut: the status says more than its words."""

MOST_SECONDS: Final = 10.0
"""Seconds from the headers of an error response after which its body is taken as it is."""


async def bound_error_body(response: httpx2.Response) -> None:
    """Let the body of an error response end in time, also if its server never ends it or breaks the connection.

    This is a hook for an HTTP client. It reads nothing itself.
    """
    if response.is_error and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _BoundedStream(response.stream, most_bytes=MOST_BYTES, seconds=MOST_SECONDS)


class _BoundedStream(httpx2.AsyncByteStream):
    """A stream that ends after `most_bytes`, after `seconds`, and where the connection breaks."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, most_bytes: int, seconds: float) -> None:
        self._stream = stream
        self._left = most_bytes
        self._end = time.monotonic() + seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reads = aiter(self._stream)
        while self._left > 0 and (seconds := self._end - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(seconds):
                    data = await anext(reads)
            except (StopAsyncIteration, TimeoutError, httpx2.RequestError):
                return
            yield data[: self._left]
            self._left -= len(data)

    async def aclose(self) -> None:
        await self._stream.aclose()
