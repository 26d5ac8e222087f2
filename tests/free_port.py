"""A port for a program that cannot take a bound socket."""

from __future__ import annotations

import contextlib
import random
import socket


def free_port() -> int:
    """Return a port below those of outgoing connections, so that no process takes it before the program listens."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no free port between 20000 and 32000")
