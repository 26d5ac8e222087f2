"""Runs a module as a child of the stack, which ends when its parent ends, even if the parent is killed.

The parent holds the other end of the child's standard input and never writes to it, so the input ends with the parent.
"""

from __future__ import annotations

import faulthandler
import os
import runpy
import shutil
import signal
import sys
import threading

RUN_DIRECTORY = "MILLRACE_RUN_DIRECTORY"


def _exit_with_parent() -> None:
    while os.read(0, 1):
        pass
    run_directory = os.environ.get(RUN_DIRECTORY)
    if run_directory is not None:  # the parent can no longer remove it
        shutil.rmtree(run_directory, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """`python -m local.child MODULE ARGUMENTS…`; SIGUSR1 prints the stack of every thread to the log."""
    faulthandler.register(signal.SIGUSR1)
    threading.Thread(target=_exit_with_parent, name="parent-watch", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
