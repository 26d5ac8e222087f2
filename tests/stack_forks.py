"""Starts the processes of all stacks of a test run as forks of one process, which has imported their modules."""

from __future__ import annotations

import os
import socket
from functools import cached_property
from pathlib import Path
from typing import IO

from local.lambda_.fork_server import (
    OF_THE_PRODUCT,
    ForkConnection,
    Forked,
    ForkServer,
    SharedForkServer,
    Start,
    connect,
)
from local.stack import ROOT

FOLDERS = [ROOT, *(ROOT / f".venv-{layer}" for layer in ("video", "render"))]
MODULES = [*OF_THE_PRODUCT, "tests.stack_modules"]


class StackForks:
    """Start the server with the first process. Close it after the last stack.

    `shared`: the address of the run's ForksOfRun, of which the server is then a fork.
    """

    def __init__(self, shared: str | None = None) -> None:
        self._shared = shared

    @cached_property
    def _server(self) -> ForkConnection:
        return ForkServer(FOLDERS, _environment(), modules=MODULES) if self._shared is None else connect(self._shared)

    def start(
        self, arguments: list[str], environment: dict[str, str], output: IO[bytes], listener: socket.socket
    ) -> Forked:
        """Start the process as `local.stack.start_interpreter` does."""
        return self._server.start(Start(arguments, cwd=str(ROOT), environment=environment), output, listener)

    def fileno(self) -> int:
        """Return the descriptor of the connection to the server, for the child of `tests/local/forked.py`."""
        return self._server.fileno()

    def close(self) -> None:
        """End the server, if it was started."""
        if "_server" in vars(self):
            self._server.close()


class ForksOfRun:
    """Import the modules once for all workers of a run of tests. Close it at the end of the run."""

    def __init__(self, address: Path) -> None:
        self._server = SharedForkServer(address, FOLDERS, _environment(), modules=MODULES)

    def close(self) -> None:
        """End the process."""
        self._server.close()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}
