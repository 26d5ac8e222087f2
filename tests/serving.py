"""Serve a socket server in a thread for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer
from threading import Thread
from typing import TypeVar

S = TypeVar("S", bound=BaseServer)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Serve requests until the end of the block, and then close the server, also if the block fails."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name=type(server).__name__)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
