"""`python -m tests.local.forked DESCRIPTOR FILE MODULE ARGUMENTS…`: run the module, but fork its stack's processes.

The descriptor is that of the connection to the server that forks. The ids of the forks are added to the file.
"""

from __future__ import annotations

import runpy
import socket
import sys
from pathlib import Path
from typing import IO

import local.stack
from local.lambda_.fork_server import ForkConnection, Forked, Start


def main() -> None:
    """Run the module as `python -m` does, except that its stack starts forks."""
    _, descriptor, listed, *arguments = sys.argv
    connection = ForkConnection(socket.socket(fileno=int(descriptor)))

    def start(arguments: list[str], environment: dict[str, str], output: IO[bytes], listener: socket.socket) -> Forked:
        fork = connection.start(Start(arguments, str(local.stack.ROOT), environment), output, listener)
        with Path(listed).open("a") as file:
            file.write(f"{fork.pid}\n")
        return fork

    local.stack.start_process = start
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
