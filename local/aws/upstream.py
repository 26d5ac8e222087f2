"""Forwards requests to another server, over connections that stay open."""

from __future__ import annotations

import http.client
import queue
from urllib.parse import urlsplit

_NO_LIMIT = 86_400  # seconds; a state's own TimeoutSeconds ends a wait, not the HTTP client
_HOP_BY_HOP = {"connection", "date", "server", "content-length", "transfer-encoding", "keep-alive"}


class Upstream:
    """A server, with one connection for each request at the same time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    def post(self, path: str, payload: bytes, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the response. Raises OSError and HTTPException if there is none."""
        while True:
            try:
                connection, used = self._idle.get_nowait(), True
            except queue.Empty:
                connection, used = http.client.HTTPConnection(*self._address, timeout=_NO_LIMIT), False
            try:
                connection.request("POST", path, payload, headers)
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                if used:
                    continue  # the server closed the connection while it was idle, so it never read the request
                raise
            self._idle.put(connection)
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]
            return response.status, kept, body
