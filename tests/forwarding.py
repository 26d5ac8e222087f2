"""A server that forwards each POST to another server, as proxies and relays of tests do."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.patience import PATIENCE
from tests.serving import serving

TargetOf = Callable[[str], str]
"""Return the URL to forward a request to, from the target in its request line."""


class ForwardingServer:
    """Forwards each POST to the URL that `target_of` returns, under that server's name; then closes the connection."""

    def __init__(self, target_of: TargetOf) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(target_of))
        self._serving = serving(self._server)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.__exit__(kind, error, trace)


def _handler(target_of: TargetOf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            target = urlsplit(target_of(self.path))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=PATIENCE)
            # A client may be killed in the middle of its response; then writing fails, and both sockets are closed.
            with contextlib.closing(connection), contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", target.path, body, headers)
                with connection.getresponse() as response:
                    self._pass_on(response)

        def _pass_on(self, response: http.client.HTTPResponse) -> None:
            self.send_response(response.status)
            self.send_header("Content-Type", response.headers["Content-Type"])
            self.end_headers()
            while piece := response.read1():
                self.wfile.write(piece)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
