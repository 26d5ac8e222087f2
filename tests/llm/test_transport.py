"""The transport of model calls: one piece for each read, and no read while the caller has no use for more."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx2
import pytest

from shared.llm.openai.transport import DirectTransport, _Connection
from tests.patience import PATIENCE

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextlib.asynccontextmanager
async def server(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve one connection after another; yield the port."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
            await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async with await asyncio.start_server(closing, "127.0.0.1", 0, ssl=tls) as opened:
        yield opened.sockets[0].getsockname()[1]


def answering(*data: bytes) -> Handler:
    """Return a handler that reads the head of a request, sends the bytes, and ends the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"".join(data))

    return handle


def pieces(handle: Handler, *, spare: Callable[[], float] = lambda: 0.0, content: bytes = b"?") -> list[Any]:
    """Return the pieces of the body of one request's response, and the fault that it ends with, if there is one."""

    async def ask() -> list[Any]:
        got: list[Any] = []
        async with server(handle) as port, client(spare) as asking:
            try:
                async with asking.stream("POST", f"http://localhost:{port}/v1", content=content) as response:
                    async for piece in response.aiter_raw():
                        got.append(piece)  # noqa: PERF401 - also those before a fault
            except httpx2.HTTPError as error:
                got.append(type(error))
        return got

    return asyncio.run(asyncio.wait_for(ask(), PATIENCE))


def client(spare: Callable[[], float] = lambda: 0.0, tls: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
    context = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.AsyncClient(transport=DirectTransport(context, spare), timeout=PATIENCE)


def test_chunks_that_arrived_together_are_one_piece() -> None:
    sent = [chunk(b"a"), chunk(b"b"), chunk(b"c"), chunk(b"")]
    assert pieces(answering(CHUNKED, *sent)) == [b"abc"]


def test_the_caller_is_asked_before_each_read_of_a_body_and_what_arrives_meanwhile_is_read_at_once() -> None:
    asked: list[int] = []
    may_send, has_sent = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + chunk(b"first"))
        await may_send.wait()
        for data in (b"a", b"b", b""):
            writer.write(chunk(data))
            await writer.drain()
        has_sent.set()

    def spare() -> float:
        asked.append(1)
        may_send.set()
        return 0.05 if not has_sent.is_set() else 0.0

    got = pieces(handle, spare=spare)
    assert b"".join(got) == b"firstab"
    assert len(got) <= 1 + len(asked)


def test_bytes_before_a_broken_chunk_are_returned_before_the_fault() -> None:
    broken = b"".join((CHUNKED, chunk(b"whole"), b"no length\r\n"))
    assert pieces(answering(broken)) == [b"whole", httpx2.RemoteProtocolError]


def test_a_body_whose_connection_ends_is_returned_before_the_fault() -> None:
    assert pieces(answering(CHUNKED, chunk(b"part"))) == [b"part", httpx2.RemoteProtocolError]


def test_bytes_behind_the_body_are_dropped() -> None:
    assert pieces(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore")) == [b"ok"]


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    assert pieces(answering(b"HTTP/1.1 200 OK\r\n\r\nto the end")) == [b"to the end"]


def test_a_server_that_ends_without_a_response_is_a_fault() -> None:
    assert pieces(answering()) == [httpx2.RemoteProtocolError]


def test_a_response_before_the_whole_request_was_sent_is_read() -> None:
    assert pieces(answering(b"HTTP/1.1 413 X\r\nContent-Length: 5\r\n\r\nlarge"), content=b"x" * 100_000) == [b"large"]


def test_a_request_of_many_bytes_is_sent_whole() -> None:
    content = b"0123456789" * 400_000
    received = bytearray()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        received.extend(await reader.readexactly(len(content)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    assert pieces(handle, content=content) == [b"ok"]
    assert bytes(received) == content


def test_a_silent_server_is_a_timeout() -> None:
    async def ask() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with server(silent) as port, client() as asking:
            with pytest.raises(httpx2.ReadTimeout):
                await asking.post(f"http://localhost:{port}/", timeout=httpx2.Timeout(PATIENCE, read=0.05))

    asyncio.run(asyncio.wait_for(ask(), PATIENCE))


@pytest.mark.parametrize(("name", "arrived"), [("data_received", (b"in time",)), ("eof_received", ())])
def test_what_arrives_while_the_process_is_held_up_is_no_timeout(name: str, arrived: tuple[bytes, ...]) -> None:
    async def read() -> bytes:
        connection = _Connection()
        connection.connection_made(Mock())
        reading = asyncio.create_task(connection.read(0.01))
        await asyncio.sleep(0)  # it waits now
        asyncio.get_running_loop().call_soon(getattr(connection, name), *arrived)
        time.sleep(0.02)  # noqa: ASYNC251 - so the loop finds what has arrived together with the timeout
        return await reading

    assert asyncio.run(read()) == b"".join(arrived)


def test_a_closed_port_and_another_protocol_are_faults() -> None:
    async def ask() -> None:
        async with client() as asking:
            with pytest.raises(httpx2.ConnectError):
                await asking.post("http://127.0.0.1:1/")
            with pytest.raises(httpx2.UnsupportedProtocol):
                await asking.post("ftp://127.0.0.1/")

    asyncio.run(asyncio.wait_for(ask(), PATIENCE))


def test_a_call_that_is_cancelled_closes_its_connection() -> None:
    async def ask() -> None:
        closed, begun = asyncio.Event(), asyncio.Event()

        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(CHUNKED + chunk(b"x"))
            begun.set()
            with contextlib.suppress(OSError):
                await reader.read()
            closed.set()

        async def call(port: int) -> None:
            async with client() as asking, asking.stream("POST", f"http://localhost:{port}/") as response:
                async for _ in response.aiter_raw():
                    pass

        async with server(endless) as port:
            calling = asyncio.create_task(call(port))
            await begun.wait()
            calling.cancel()
            await closed.wait()

    asyncio.run(asyncio.wait_for(ask(), PATIENCE))


def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = ssl.SSLContext.__mro__[1].load_verify_locations  # type: ignore[attr-defined]
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", original)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(certificate)

    async def ask() -> None:
        async with server(answering(CHUNKED, chunk(b"a"), chunk(b"b"), chunk(b"")), serving) as port:
            async with client(tls=trusting) as asking:
                assert (await asking.post(f"https://localhost:{port}/")).content == b"ab"
                with pytest.raises(httpx2.ConnectError):
                    await asking.post(f"https://127.0.0.1:{port}/")
            async with client() as distrusting:
                with pytest.raises(httpx2.ConnectError):
                    await distrusting.post(f"https://localhost:{port}/")

    asyncio.run(asyncio.wait_for(ask(), PATIENCE))
