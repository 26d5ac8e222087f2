"""One HTTP/1.1 connection of the scripted model: it sends responses or a paced stream, and can close at any byte.

It uses asyncio's transport instead of Starlette under uvicorn, in order to close the TCP connection inside a response
and to notice at once when the client closes it (docs/decisions/0003-openai-raw-stream.md).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import h11

from local.web_guard import WebGuard

_LARGEST_BODY: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class HttpConnection(asyncio.Protocol):
    """Serves one request after another, of those that the guard lets pass.

    `handle` is cancelled if the client closes the connection before the end.
    """

    def __init__(self, handle: Callable[[HttpRequest, HttpConnection], Awaitable[None]], guard: WebGuard) -> None:
        self._handle = handle
        self._guard = guard
        self._http = h11.Connection(h11.SERVER)
        self._transport: asyncio.Transport
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._serving: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._serving is not None:
            self._serving.cancel()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._read()

    def send_json(self, status: int, document: Any, headers: Sequence[tuple[str, str]] = ()) -> None:
        body = json.dumps(document).encode()
        fields = [("content-type", "application/json"), ("content-length", str(len(body))), *headers]
        self._transport.write(
            self._bytes_of(h11.Response(status_code=status, headers=fields))
            + self._bytes_of(h11.Data(data=body))
            + self._bytes_of(h11.EndOfMessage())
        )

    def start_stream(self, content_type: str) -> None:
        fields = [("content-type", content_type), ("cache-control", "no-cache"), ("transfer-encoding", "chunked")]
        self._transport.write(self._bytes_of(h11.Response(status_code=200, headers=fields)))

    def send(self, data: bytes) -> None:
        # Every token takes this path, so the frame is built here, which is faster than in h11.
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self._transport.write(self._bytes_of(h11.EndOfMessage()))

    def cut(self) -> None:
        """Close the TCP connection without an end of the response; the bytes that were sent still arrive."""
        self._transport.close()

    def _read(self) -> None:
        try:
            while self._serving is None and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError:
            self._transport.close()

    def _take(self, event: object) -> bool:
        """Process one event of the request; return False if there is nothing more to read now."""
        match event:
            case h11.Request():
                self._head = event
                self._body.clear()
            case h11.Data():
                self._body += event.data
                if len(self._body) > _LARGEST_BODY:
                    self._transport.close()
                    return False
            case h11.EndOfMessage():
                self._serving = asyncio.get_running_loop().create_task(self._serve())
            case _:
                return False
        return True

    async def _serve(self) -> None:
        head = self._head
        if head is None:
            return
        path, _, query = head.target.decode("latin-1").partition("?")
        request = HttpRequest(
            method=head.method.decode(),
            path=path,
            query=dict(parse_qsl(query)),
            headers={name.decode(): value.decode("latin-1") for name, value in head.headers},
            body=bytes(self._body),
        )
        refusal = self._guard.refusal(request.method, path, lambda name: request.headers.get(name, ""))
        try:
            if refusal is None:
                await self._handle(request, self)
            else:
                self.send_json(403, {"error": {"message": refusal}})
        except Exception:
            # The client must see a defect of this server as an error, not as a slow response.
            self._transport.close()
            raise
        self._serving = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._read()
        else:
            self._transport.close()

    def _bytes_of(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> bytes:
        return self._http.send(event) or b""
