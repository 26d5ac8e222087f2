"""A fake server for the tests of the Python client: responses in the API's envelope, and event streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeAlias

import httpx

META = {
    "requestId": "request-1",
    "traceId": None,
    "timestamp": "2026-11-26T08:00:00Z",
    "durationMs": 1,
    "operation": "get_job",
    "entity": "job",
}
Given: TypeAlias = httpx.Response | Exception
Answer: TypeAlias = Given | Callable[[httpx.Request], Given]


def success(data: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"success": True, "data": data, "meta": META})


def refusal(status: int, code: str, *, retryable: bool = False, **details: Any) -> httpx.Response:
    nothing: dict[str, Any] = {
        "fields": [],
        "jobId": None,
        "retryAfterSeconds": None,
        "state": None,
        "allowed": [],
        "activeJobId": None,
    }
    error = {"code": code, "message": f"{code}.", "details": {**nothing, **details}, "retryable": retryable}
    return httpx.Response(status, json={"success": False, "error": error, "meta": META})


def frame(event_id: int | None, **event: Any) -> str:
    number = "" if event_id is None else f"id: {event_id}\n"
    return f"{number}event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"


CONNECTED = frame(None, type="connected", jobId="job_1", pipeline="suggestion", lastEventId=0)
USAGE = {
    "inputTokens": 1,
    "outputTokens": 2,
    "cachedInputTokens": 0,
    "reasoningTokens": 0,
    "unreportedCalls": 0,
    "costUsd": None,
    "compute": None,
    "cost": None,
}


def delta(event_id: int, text: str) -> str:
    return frame(event_id, type="delta", text=text)


def complete(event_id: int, **result: Any) -> str:
    return frame(event_id, type="complete", result=result, usage=USAGE)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The chunks of a stream, and how it ends."""

    def __init__(self, chunks: Iterable[bytes], end: Exception | None) -> None:
        self._chunks = list(chunks)
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._end is not None:
            raise self._end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        """Nothing to close."""

    async def aclose(self) -> None:
        """Nothing to close."""


def stream(*texts: str | bytes, end: Exception | None = None) -> httpx.Response:
    chunks = (each if isinstance(each, bytes) else each.encode() for each in texts)
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=_Body(chunks, end))


class FakeServer(httpx.MockTransport):
    """Answer with the list, in order; record every request."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self.requests: list[httpx.Request] = []
        self._left = list(answers)
        super().__init__(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert self._left, f"the test expects no {request.method} {request.url}"
        answer = self._left.pop(0)
        given = answer(request) if callable(answer) else answer
        if isinstance(given, Exception):
            raise given
        return given

    def sent(self, header: str) -> list[str | None]:
        """Return what each request sent in this header."""
        return [request.headers.get(header) for request in self.requests]
