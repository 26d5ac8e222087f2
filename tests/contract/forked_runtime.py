"""`forked_runtime.py SOCKET ARGUMENTS…`: run `python -m ARGUMENTS…` as a fork of the server behind this socket.

It imports little, because one starts for each built function.
"""

from __future__ import annotations

import json
import os
import socket
import sys

LENGTH_BYTES = 4


def main() -> None:
    """Exit with the status of the fork, or with 1 if a signal ended it."""
    address, *arguments = sys.argv[1:]
    start = {"arguments": arguments, "cwd": os.getcwd(), "environment": dict(os.environ)}
    message = json.dumps(start).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [len(message).to_bytes(LENGTH_BYTES, "big")], [sys.stdout.fileno()])
        connection.sendall(message)
        status = int(connection.recv(16) or 1)
    sys.exit(max(status, 1) if status else 0)


if __name__ == "__main__":
    main()
