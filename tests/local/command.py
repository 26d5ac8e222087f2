"""Runs a command of the product as a separate process with its own environment, and finds all of its processes."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE
from tests.stack_forks import StackForks

ROOT = Path(__file__).resolve().parents[2]
_MARK = "MILLRACE_TEST_MARK"

DEAD_PROXIES = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"
)
"""An environment with a proxy that refuses every connection."""

_PROBE = re.compile(r"[a-z0-9_]{8}")

CONTROL_CHARACTERS = re.compile(r"[^\n -~\u00a0-\U0010ffff]")


def left_in(folder: Path) -> list[Path]:
    """Return what is in a folder for temporary files, except the files with which Python has tried it.

    The module tempfile writes, closes and removes such a file; a process that is killed meanwhile leaves it.
    """
    return [each for each in folder.iterdir() if each.is_dir() or not _PROBE.fullmatch(each.name)]


class Command:
    """Runs with PATH, HOME and `environment` only; a context manager that leaves no process behind.

    `background`: ignores SIGINT at first, as a command that a shell starts with `&`.
    `forks`: starts the processes of its stack as forks; then the arguments are those of a Python with `-m`.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        background: bool = False,
        forks: StackForks | None = None,
    ) -> None:
        self._passed = () if forks is None else (forks.fileno(),)
        self._forks = tempfile.NamedTemporaryFile("r")  # noqa: SIM115 - it is closed in __exit__
        if forks is not None:
            interpreter, option, *rest = arguments
            assert (interpreter, option) == (sys.executable, "-m")
            arguments = [sys.executable, "-m", "tests.local.forked", str(forks.fileno()), self._forks.name, *rest]
        self._arguments = ["sh", "-c", 'trap "" INT; exec "$0" "$@"', *arguments] if background else arguments
        self._mark = secrets.token_hex(8)
        known = {name: os.environ[name] for name in ("PATH", "HOME")}
        self._environment = {**known, _MARK: self._mark, **(environment or {})}
        self._output = b""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._arguments,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=self._passed,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self.run()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)
        self._forks.close()

    @property
    def status(self) -> int | None:
        return self._process.poll()

    def interrupt(self) -> None:
        """Send the signal of Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def read_until(self, text: str, *, timeout: float = PATIENCE) -> str:
        """Return everything that was written so far, as soon as `text` is in it. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self._output:
            if not self._read(deadline - time.monotonic()):
                raise TimeoutError(f"no {text!r} within {timeout} s in:\n{self._output.decode()}")
        return self._output.decode()

    def run(self, *, timeout: float = PATIENCE) -> str:
        """Wait for the end, and return everything that was written. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while self._read(deadline - time.monotonic()):
            pass
        try:
            self._process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise TimeoutError(f"not ended within {timeout} s:\n{self._output.decode()}") from None
        return self._output.decode()

    def processes(self) -> list[int]:
        """Return the ids of those processes that still run: the command, its forks and descendants.

        Descendants inherit the mark. The kernel shows no environment of a fork, so forks are listed in a file.
        """
        mark = f"{_MARK}={self._mark}".encode()
        listed = Path(self._forks.name).read_text().split()
        found = [int(pid) for pid in listed if Path(f"/proc/{pid}").exists()]
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
            except OSError:
                continue  # it has ended meanwhile, or belongs to another user
        return found

    def _read(self, timeout: float) -> bool:
        """Return False at the end of the output, or if nothing arrives in time."""
        stdout = self._process.stdout
        if stdout is None or stdout.closed or not select.select([stdout], [], [], max(0, timeout))[0]:
            return False
        piece = os.read(stdout.fileno(), 65536)
        self._output += piece
        if not piece:
            stdout.close()
        return bool(piece)
