"""One HTTP/1.1 connection of the scripted model: requests in, answers or a paced stream out, and the ability to cut it.

Not Starlette under uvicorn: cutting the TCP connection in mid-answer and noticing at once that the client has gone take
the transport itself (docs/decisions/0003-openai-raw-stream.md).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import h11

_LARGEST_BODY: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class HttpConnection(asyncio.Protocol):
    """Serves one request after another; `handle` is cancelled when the client goes away before its answer is whole."""

    def __init__(self, handle: Callable[[HttpRequest, HttpConnection], Awaitable[None]]) -> None:
        self._handle = handle
        self._http = h11.Connection(h11.SERVER)
        self._transport: asyncio.Transport
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._serving: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
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
        # The frame is made here and not by h11: this is the path of every token.
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self._transport.write(self._bytes_of(h11.EndOfMessage()))

    def cut(self) -> None:
        """Close the TCP connection without ending the answer; what was sent still arrives."""
        self._transport.close()

    def _read(self) -> None:
        try:
            while self._serving is None and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError:
            self._transport.close()

    def _take(self, event: object) -> bool:
        """Take one event of the request; False when there is nothing more to read now."""
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
        try:
            await self._handle(request, self)
        except Exception:
            # A defect of the server must look like one to the client, not like a slow answer.
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
