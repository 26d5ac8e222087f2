"""Send requests of DynamoDB from an event loop, without a thread and without botocore.

It is for requests that are sent again and again, and that a thread can repeat with the client of `aws.dynamodb`: that
one knows retries and faults, and this module knows none (docs/decisions/0063-requests-of-dynamodb-sent-directly.md).
"""

from __future__ import annotations

import asyncio
import io
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, urlsplit

from shared.storage.direct_requests import (
    PREFIX,
    UNREADABLE,
    Endpoint,
    Response,
    headers_of,
    is_passing,
    parsed_body,
    read_response,
)

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

MAX_IDLE = 50
"""How many connections are kept while no request uses them."""

IDLE_SECONDS = 15.0
"""How long a connection may be idle and still be used. Lambda may have frozen the process for longer."""

MAX_BYTES = 4_000_000
"""The longest response. DynamoDB sends at most a megabyte of items, which JSON makes longer."""


class NotSent(Exception):
    """There is no response that can be used. `passing` is true if the server is busy, so that a pause may help."""

    def __init__(self, *, passing: bool = False) -> None:
        super().__init__("no response")
        self.passing = passing


class LoopRequests:
    """Send requests to DynamoDB. Timeouts are in seconds.

    `endpoint` returns where to, and None until another client has learned it. `credentials` is called for each request,
    and returns None if there are none. `tls` makes the context of the connections, once. Only one event loop at a time
    may use it.
    """

    def __init__(
        self,
        *,
        endpoint: Callable[[], Endpoint | None],
        credentials: Callable[[], ReadOnlyCredentials | None],
        tls: Callable[[], ssl.SSLContext],
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._new_context = tls
        self._context: ssl.SSLContext | None = None
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: list[_Connection] = []

    async def send(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request and return the parsed body of its response, a success. Raises NotSent for all others."""
        credentials, endpoint = self._credentials(), self._endpoint()
        if credentials is None or endpoint is None:
            raise NotSent
        url, body = urlsplit(endpoint.url), json.dumps(parameters).encode()
        headers = endpoint.signer.headers(
            credentials, host=url.netloc, target=PREFIX + operation, body=body, at=time.gmtime()
        )
        headers |= headers_of(body)
        response = await self._exchange(url, headers, body)
        parsed = parsed_body(response)
        if parsed is None or response.status_code != 200:
            raise NotSent(passing=is_passing(response))
        return parsed

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _exchange(self, url: SplitResult, headers: Mapping[str, str], body: bytes) -> Response:
        connection = self._fresh_one()
        try:
            if connection is None:
                async with asyncio.timeout(self._connect_timeout):
                    connection = await self._open(url)
            async with asyncio.timeout(self._read_timeout):
                head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                response, is_last = await connection.exchange(f"POST / HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, UNREADABLE):
                raise
            raise NotSent from error
        if is_last or len(self._idle) >= MAX_IDLE:
            connection.close()
        else:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        return response

    def _fresh_one(self) -> _Connection | None:
        """Return an idle connection of this event loop on which the server has sent nothing, not even its end."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._idle = loop, []
        while self._idle:
            connection = self._idle.pop()
            if connection.is_unused and time.monotonic() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _open(self, url: SplitResult) -> _Connection:
        host, is_tls = str(url.hostname), url.scheme == "https"
        if is_tls and self._context is None:
            self._context = self._new_context()
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection,
            host,
            url.port or (443 if is_tls else 80),
            ssl=self._context if is_tls else None,
            server_hostname=host if is_tls else None,
        )
        return connection


class _Connection(asyncio.Protocol):
    """A connection that is used for one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._length: int | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False
        self.idle_since = 0.0
        """When its last response was complete, by the monotonic clock."""

    @property
    def is_unused(self) -> bool:
        """Whether the server has sent nothing since the last response, not even its end."""
        return not (self._received or self._ended)

    async def exchange(self, request: bytes) -> tuple[Response, bool]:
        """Send a request and return its response, and whether the connection ends behind it.

        Raises OSError or ValueError if the connection breaks, or if the response is not one of DynamoDB.
        """
        self._length = None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            await self._waiting
        finally:
            self._waiting = None
        data = bytes(self._received)
        self._received.clear()
        return read_response(io.BytesIO(data))

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        try:
            if self._length is None:
                self._length = _length_of(self._received)
            if self._length is not None and len(self._received) >= self._length:
                waiting.set_result(None)
        except ValueError as error:
            waiting.set_exception(error)

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)

    def _end(self, error: Exception | None) -> None:
        self._ended = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionError("the connection ended"))


def _length_of(received: bytearray) -> int | None:
    """Return the bytes of the whole response; None if its head is not complete.

    Raises ValueError if the response does not say how long it is, or if it is too long.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > MAX_BYTES:
            raise ValueError("the head is too long")
        return None
    for line in received[:end].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = end + 4 + int(value)
            if length > MAX_BYTES:
                raise ValueError("the response is too long")
            return length
    raise ValueError("the response has no length")
