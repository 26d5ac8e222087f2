"""Forward the calls of one stack to the model that a test chooses, so that one stack serves tests with two of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.forwarding import ForwardingServer


class ModelRelay(ForwardingServer):
    """Forwards each request to a model server, `url` at first. A context manager."""

    def __init__(self, url: str) -> None:
        self._model_url = url
        super().__init__(lambda path: f"http://{urlsplit(self._model_url).netloc}{path}")

    @contextmanager
    def to(self, url: str) -> Iterator[None]:
        """Forward to another server for the length of the block."""
        before, self._model_url = self._model_url, url
        yield
        self._model_url = before
