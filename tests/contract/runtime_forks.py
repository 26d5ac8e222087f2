"""Starts the runtime of each built function as a fork of one process, which has imported the libraries of the layers.

Lambda's emulator starts a program for each function. Here this program is `forked_runtime.py`, which asks this process
for a fork with its arguments, folder, environment and output, and ends with its exit status. Most of the CPU time of a
start is for imports of the same libraries.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from local.lambda_.fork_server import OF_THE_PRODUCT, Forked, ForkServer, Start
from tests.contract.build_output import LAYERS, RUNTIME
from tests.contract.forked_runtime import LENGTH_BYTES
from tests.layout import ROOT

PROGRAM = Path(__file__).with_name("forked_runtime.py")


class RuntimeForks:
    """A context manager. `folder` is an empty folder for the socket to which the programs connect."""

    def __init__(self, folder: Path) -> None:
        self._address = folder / "forks"
        # Only the package of the server itself: `shared` must be the built one.
        (folder / "server").mkdir()
        (folder / "server/local").symlink_to(ROOT / "local")
        self._server = ForkServer(
            [*LAYERS, folder / "server"],
            {"PATH": os.environ["PATH"]},
            # Not Lambda's runtime client: its library reads the address of the Runtime API when it is loaded.
            modules=[*OF_THE_PRODUCT, "boto3"],
            interpreter=RUNTIME,
        )
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._address))
        self._listener.listen()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="runtime-forks", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._server.close()

    def command(self, *arguments: str) -> list[str]:
        """Return the program that runs `python -m` with these arguments as a fork."""
        return [sys.executable, "-I", "-S", str(PROGRAM), str(self._address), *arguments]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(connection,), name="runtime-fork", daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        """Start the fork, and end it as soon as the program that asked for it ends. The program may end at any time."""
        with connection:
            head, descriptors, _, _ = socket.recv_fds(connection, LENGTH_BYTES, 1)
            if not descriptors:
                return
            with os.fdopen(descriptors[0], "wb") as file:
                message = b""
                while len(message) < int.from_bytes(head):
                    received = connection.recv(65536)
                    if not received:
                        return
                    message += received
                fork = self._server.start(Start(**json.loads(message)), file)
            waiting = threading.Thread(target=_report_end, args=(fork, connection), daemon=True)
            waiting.start()
            with contextlib.suppress(ConnectionResetError):  # it has not read the status
                connection.recv(1)
            fork.kill()
            waiting.join()


def _report_end(fork: Forked, connection: socket.socket) -> None:
    """Send the exit status of the fork, then close the connection for its program."""
    status = fork.wait()
    try:
        connection.sendall(str(status).encode())
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the program has ended first
