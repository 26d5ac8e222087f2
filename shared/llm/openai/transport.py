"""Send one request to a provider over asyncio's own connections, and return what each read finds as one piece.

The HTTP client's own transport passes each chunk of a response through eight generators, and pauses the connection for
each. A streamed answer has hundreds of chunks. This transport reads with the same parser, h11, so it understands the
same servers. docs/decisions/0065-the-model-is-read-when-text-is-due.md says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Final, cast

import h11
import httpx2

MOST_HEAD_BYTES: Final = 102_400
"""The longest head of a response, in bytes."""

_NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long an address of a host may take before the next one is tried as well."""

Spare = Callable[[], float]
"""A function that returns how many seconds the next bytes of a response are of no use."""


class DirectTransport(httpx2.AsyncBaseTransport):
    """Open a connection for each request, and close it with its response. It knows no proxies.

    `tls` is the context of connections by https. Before each read of a body, wait for as long as `spare` returns.
    """

    def __init__(self, tls: ssl.SSLContext, spare: Spare) -> None:
        tls.set_alpn_protocols(["http/1.1"])
        self._tls = tls
        self._spare = spare

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and return its response, whose body is not read yet. Raises httpx2.TransportError."""
        timeouts = request.extensions.get("timeout", {})
        connection = await self._open(request.url, timeouts.get("connect"))
        try:
            exchange = _Exchange(connection, timeouts.get("read"))
            await exchange.send(request, timeouts.get("write"))
            head = await exchange.head()
        except BaseException:
            await connection.close()
            raise
        return httpx2.Response(
            status_code=head.status_code,
            headers=list(head.headers.raw_items()),
            stream=_Body(exchange, self._spare),
            extensions={"http_version": b"HTTP/" + head.http_version, "reason_phrase": head.reason},
        )

    async def _open(self, url: httpx2.URL, seconds: float | None) -> _Connection:
        if url.scheme not in {"http", "https"}:
            raise httpx2.UnsupportedProtocol(f"a request cannot be sent by {url.scheme!r}")
        is_tls = url.scheme == "https"
        host = url.raw_host.decode("ascii")
        try:
            async with asyncio.timeout(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    _Connection,
                    host,
                    url.port or (443 if is_tls else 80),
                    ssl=self._tls if is_tls else None,
                    server_hostname=host if is_tls else None,
                    happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS,
                )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("no connection in time") from error
        except OSError as error:  # an ssl.SSLError, too
            raise httpx2.ConnectError(str(error)) from error
        return connection


class _Connection(asyncio.Protocol):
    """A connection that is read only while `read` waits. Meanwhile the operating system keeps what arrives."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        self._ended = True
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._changed.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def read(self, seconds: float | None) -> bytes:
        """Return what has arrived, after at most `seconds`; nothing if the connection has ended.

        Raises httpx2.ReadTimeout or httpx2.ReadError.
        """
        if not self._received and not self._ended:
            self._changed.clear()
            self._transport.resume_reading()
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError as error:
                # If this process was held up, bytes that have arrived in time are found together with the timeout.
                if not self._received and not self._ended:
                    raise httpx2.ReadTimeout("nothing arrived in time") from error
        if not self._received and self._error is not None:
            raise httpx2.ReadError(str(self._error)) from self._error
        data = bytes(self._received)
        self._received.clear()
        return data

    async def write(self, data: bytes, seconds: float | None) -> None:
        """Send the bytes, in at most `seconds`. Raises httpx2.WriteTimeout or httpx2.WriteError."""
        self._transport.write(data)
        try:
            async with asyncio.timeout(seconds):
                await self._writable.wait()
        except TimeoutError as error:
            raise httpx2.WriteTimeout("the request was not sent in time") from error
        if self._error is not None:
            raise httpx2.WriteError(str(self._error)) from self._error

    async def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()
        await asyncio.sleep(0)  # asyncio closes the socket after the tasks that are ready now


class _Exchange:
    """One request and its response on one connection."""

    def __init__(self, connection: _Connection, read_seconds: float | None) -> None:
        self._connection = connection
        self._read_seconds = read_seconds
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD_BYTES)

    async def send(self, request: httpx2.Request, seconds: float | None) -> None:
        """Send the request. A server may refuse it before it is sent whole: then its response is read all the same."""
        try:
            head = h11.Request(
                method=request.method.encode("ascii"), target=request.url.raw_path, headers=request.headers.raw
            )
            parts = [self._http.send(head)]
            async for chunk in cast("AsyncIterable[bytes]", request.stream):
                parts.append(self._http.send(h11.Data(data=chunk)))  # noqa: PERF401 - httpx2's streams are async
            parts.append(self._http.send(h11.EndOfMessage()))
        except h11.LocalProtocolError as error:
            raise httpx2.LocalProtocolError(str(error)) from error
        with contextlib.suppress(httpx2.WriteError):
            await self._connection.write(b"".join(part or b"" for part in parts), seconds)

    async def head(self) -> h11.Response:
        """Return the response's head."""
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                await self.receive()
            elif isinstance(event, h11.Response):
                return event
            elif isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                raise httpx2.RemoteProtocolError("the server changed to another protocol, which was not requested")

    def take(self) -> tuple[bytes, bool]:
        """Return the bytes of the body that have been received, and whether the body has ended behind them.

        Raises httpx2.RemoteProtocolError if what was received is no HTTP. If it follows bytes of the body, return those
        first, and raise the next time.
        """
        chunks: list[bytes] = []
        while True:
            try:
                event = self._next_event()
            except httpx2.RemoteProtocolError:
                if chunks:
                    return b"".join(chunks), False
                raise
            if not isinstance(event, h11.Data):
                return b"".join(chunks), event is not h11.NEED_DATA
            chunks.append(bytes(event.data))

    async def receive(self) -> None:
        """Wait for more bytes and give them to the parser."""
        data = await self._connection.read(self._read_seconds)
        if not data and self._http.their_state is h11.SEND_RESPONSE:
            raise httpx2.RemoteProtocolError("the server disconnected without sending a response")
        self._http.receive_data(data)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error


class _Body(httpx2.AsyncByteStream):
    """The body of a response. Each piece is everything that one read has found."""

    def __init__(self, exchange: _Exchange, spare: Spare) -> None:
        self._exchange = exchange
        self._spare = spare

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            data, has_ended = self._exchange.take()
            if data:
                yield data
            if has_ended:
                return
            if data:
                continue  # a fault may follow what was returned
            if (seconds := self._spare()) > 0:
                await asyncio.sleep(seconds)
            await self._exchange.receive()

    async def aclose(self) -> None:
        await self._exchange.close()
