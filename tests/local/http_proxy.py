"""A forward proxy for plain HTTP, which records the requests that it forwards."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class HttpProxy:
    """Forwards each POST to the server that replaces its host, under that server's name; then closes the connection."""

    def __init__(self, servers: Mapping[str, str]) -> None:
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(servers, self.requests))
        self._thread = Thread(target=self._server.serve_forever, name="proxy")
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


def _handler(servers: Mapping[str, str], requests: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(f"{self.command} {self.path}")
            asked = urlsplit(self.path)
            server = urlsplit(servers[asked.hostname or ""])
            connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=30)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request("POST", asked.path, body, headers)
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
