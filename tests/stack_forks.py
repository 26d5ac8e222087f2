"""Starts the processes of all stacks of a test run as forks of one process, which has imported their modules."""

from __future__ import annotations

import os
import socket
from functools import cached_property
from typing import IO

from local.lambda_.fork_server import OF_THE_PRODUCT, Forked, ForkServer, Start
from local.stack import ROOT


class StackForks:
    """Start the server with the first process. Close it after the last stack."""

    @cached_property
    def _server(self) -> ForkServer:
        folders = [ROOT, *(ROOT / f".venv-{layer}" for layer in ("video", "render"))]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return ForkServer(folders, environment, modules=[*OF_THE_PRODUCT, "tests.stack_modules"])

    def start(
        self, arguments: list[str], environment: dict[str, str], output: IO[bytes], listener: socket.socket
    ) -> Forked:
        """Start the process as `local.stack.start_interpreter` does."""
        return self._server.start(Start(arguments, cwd=str(ROOT), environment=environment), output, listener)

    def close(self) -> None:
        """End the server, if it was started."""
        if "_server" in vars(self):
            self._server.close()
