"""Forward the calls of one stack to the model that a test chooses, so that one stack serves tests with two of them."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class ModelRelay:
    """Forwards each request to a model server, `url` at first. A context manager."""

    def __init__(self, url: str) -> None:
        self._target = url
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, name="model relay")
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def to(self, url: str) -> Iterator[None]:
        """Forward to another server for the length of the block."""
        before, self._target = self._target, url
        yield
        self._target = before

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection to the present server."""
        parts = urlsplit(self._target)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)


def _handler(relay: ModelRelay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            connection = relay.connection()
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers["Content-Type"])
            self.end_headers()
            while piece := response.read1():
                self.wfile.write(piece)
            connection.close()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
