"""A model endpoint that answers every POST with given bytes, as a recorded server did."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Any, Self

from tests.serving import serving

Respond = Callable[[dict[str, Any]], "bytes | Endless"]
"""Return the HTTP response for the body of a request."""


MOST_READ = 32_000_000
"""Bytes of an endless response that no client reads: the largest bound, and the buffers of the client."""


def _most_buffered() -> int:
    """Return how many bytes the kernel may take for a connection, although the client reads none of them."""
    limits = (Path("/proc/sys/net/ipv4") / name for name in ("tcp_rmem", "tcp_wmem"))
    return sum(int(each.read_text().split()[-1]) for each in limits if each.exists())


@dataclass(frozen=True)
class Endless:
    """A response that begins with `head`, and then repeats `piece` until the client leaves.

    If a client reads `MOST_READ` bytes and does not leave, the test fails.
    """

    head: bytes
    piece: bytes


def http_response(status: int, body: Any, *, content_type: str = "application/json", **headers: str) -> bytes:
    """Return an HTTP response; a body that is not bytes is sent as JSON. Headers have `_` for a hyphen."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nConnection: close\r\n{more}\r\n"
    return head.encode() + data


class CaseServer:
    """The endpoint. `bodies` are those of the requests so far; a request without one counts as an empty object.

    With `hold`, a connection stays open after its response. `sent` is how many of these responses were sent whole.
    """

    def __init__(self, respond: Respond, *, hold: bool = False) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.sent = 0
        self._read_on = False
        self._released = threading.Event()
        self._hold = hold
        case = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                case._handle(self, respond)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._serving = serving(self._server)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._serving.__exit__(kind, error, trace)
        assert not self._read_on, f"the client has read {MOST_READ:,} bytes of an endless response"

    def _handle(self, connection: StreamRequestHandler, respond: Respond) -> None:
        if not connection.rfile.readline():
            return  # the client has only connected
        length = 0
        while (line := connection.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = json.loads(connection.rfile.read(length)) if length else {}
        self.bodies.append(body)
        response = respond(body)
        if isinstance(response, Endless):
            with contextlib.suppress(ConnectionError):
                self._send(connection, response)
            return
        connection.wfile.write(response)
        connection.wfile.flush()
        if self._hold:
            self.sent += 1
            self._released.wait()

    def _send(self, connection: StreamRequestHandler, response: Endless) -> None:
        connection.wfile.write(response.head)
        for _ in range((MOST_READ + _most_buffered()) // len(response.piece)):
            connection.wfile.write(response.piece)
        self._read_on = True
