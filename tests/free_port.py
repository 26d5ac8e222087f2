"""A port for a program that cannot take a bound socket."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading

_given: set[int] = set()
_giving = threading.Lock()


def free_port() -> int:
    """Return a port below those of outgoing connections, so that no process takes it before the program listens.

    A program may listen seconds later, so a port is given once, and the workers of a run share no ports.
    """
    with _giving:
        left = [port for port in _ports_of_this_worker() if port not in _given]
        for port in random.sample(left, len(left)):
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                _given.add(port)
                return port
    raise RuntimeError("no free port between 20000 and 32000")


def _ports_of_this_worker() -> range:
    """Return the ports of a worker of pytest-xdist, which is named gw0, gw1 and so on; without workers, all ports."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return range(20_000 + worker, 32_000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
