"""Run a command that ends when standard input ends: with its parent, even if the parent was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading


def main() -> None:
    """`python -m tests.dynamodb_local.lifeline COMMAND…`; the parent holds the other end and never writes to it."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, args=[process], daemon=True).start()
    sys.exit(process.wait())


def _end_with_parent(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1):
        pass
    process.kill()


if __name__ == "__main__":
    main()
