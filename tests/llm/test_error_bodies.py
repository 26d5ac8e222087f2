"""What comes with an error's status: a body without an end or with a broken one, and hints about the base URL."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from shared.errors import MillraceError, ModelRateLimited, ModelRejectedRequest, ModelUnavailable
from shared.llm.openai import error_body
from tests.llm.case_server import CaseServer, Endless, Respond, http_response
from tests.llm.model_calls import AdapterFor, fault
from tests.patience import PATIENCE

LIMITED = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nRetry-After: 20\r\n"
NOT_FOUND = http_response(404, {"detail": "Not Found"})


NEVER = 3600.0
"""Seconds that only a hang takes."""


def fault_of(
    adapter_for: AdapterFor, response: bytes | Endless, *, path: str = "/v1", hold: bool = False
) -> MillraceError:
    respond: Respond = lambda _: response  # noqa: E731
    with CaseServer(respond, hold=hold) as server:
        return fault(adapter_for(server.url.removesuffix("/v1") + path, token_timeout=NEVER))


def test_a_body_without_an_end_is_cut(adapter_for: AdapterFor) -> None:
    limited = fault_of(adapter_for, Endless(LIMITED + b"\r\n", b"too many requests\n" * 50))
    assert type(limited) is ModelRateLimited
    assert limited.retry_after == 20


def test_a_body_that_does_not_go_on_is_taken_as_it_is(adapter_for: AdapterFor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_body, "MOST_SECONDS", 0.05)
    body = b'HTTP/1.1 503 X\r\nContent-Type: application/json\r\n\r\n{"error": {"message": "over'
    assert type(fault_of(adapter_for, body, hold=True)) is ModelUnavailable


def test_a_body_whose_connection_breaks_is_taken_as_it_is(adapter_for: AdapterFor) -> None:
    assert type(fault_of(adapter_for, LIMITED + b"Content-Length: 5000\r\n\r\ntoo many")) is ModelRateLimited


def test_a_body_of_the_longest_size_is_read_to_its_end(
    adapter_for: AdapterFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_body, "MOST_SECONDS", PATIENCE)
    padding = "x" * (error_body.MOST_BYTES - 200)
    refused = fault_of(
        adapter_for, http_response(400, {"padding": padding, "error": {"code": "context_length_exceeded"}})
    )
    assert "longer than the model accepts" in refused.message


@pytest.mark.parametrize("path", ["", "/openai", "/api/v"])
@pytest.mark.parametrize("status", [404, 405])
def test_an_unknown_address_without_a_version_names_v1(adapter_for: AdapterFor, status: int, path: str) -> None:
    unknown = fault_of(adapter_for, http_response(status, "404 page not found"), path=path)
    assert type(unknown) is ModelRejectedRequest
    assert "check the base URL, which usually ends in /v1 and has no version" in unknown.message


MODEL_UNKNOWN: dict[str, Any] = {"error": {"code": "model_not_found", "message": "x"}}


@pytest.mark.parametrize(
    ("path", "response"),
    [
        ("/v1", NOT_FOUND),
        ("/v1beta/openai", NOT_FOUND),
        ("/openai/deployments/mine?api-version=2024-06-01", NOT_FOUND),
        ("", http_response(404, MODEL_UNKNOWN)),
    ],
)
def test_otherwise_an_unknown_address_does_not(adapter_for: AdapterFor, path: str, response: bytes) -> None:
    assert "/v1" not in fault_of(adapter_for, response, path=path).message


class Chunks(httpx2.AsyncByteStream):
    """A body in chunks, which counts how many are read."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._chunks):
            self.read += 1
            yield b"x" * 1_000


@pytest.mark.parametrize(
    ("status", "chunks", "read", "size"),
    [(500, 60, 60, 60_000), (500, 100, 66, error_body.MOST_BYTES), (200, 100, 100, 100_000)],
    ids=["a short one", "a long one", "no error"],
)
def test_only_the_beginning_of_an_errors_body_is_read(status: int, chunks: int, read: int, size: int) -> None:
    async def body() -> bytes:
        response = httpx2.Response(status, stream=stream)
        await error_body.bound_error_body(response)
        return await response.aread()

    stream = Chunks(chunks)
    assert len(asyncio.run(body())) == size
    assert stream.read == read


def test_a_body_that_comes_slowly_is_read_for_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        response = httpx2.Response(500, stream=stream)
        await error_body.bound_error_body(response)
        await response.aread()

    seconds = itertools.count()
    monkeypatch.setattr(error_body, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    stream = Chunks(50)
    asyncio.run(body())
    assert stream.read == 9
