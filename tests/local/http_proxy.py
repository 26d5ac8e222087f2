"""A forward proxy for plain HTTP, which records the requests that it forwards."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.forwarding import ForwardingServer


class HttpProxy(ForwardingServer):
    """Forwards each POST to the server that replaces its host. `requests` are the request lines so far."""

    def __init__(self, servers: Mapping[str, str]) -> None:
        self.requests: list[str] = []
        self._servers = servers
        super().__init__(self._target_of)

    def _target_of(self, target: str) -> str:
        self.requests.append(f"POST {target}")
        asked = urlsplit(target)
        return f"http://{urlsplit(self._servers[asked.hostname or '']).netloc}{asked.path}"
