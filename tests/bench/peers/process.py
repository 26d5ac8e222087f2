"""Start and end the benchmark's processes, and measure what they and their children use."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

READY_SECONDS = 90.0
STOPPED_SECONDS = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PROPORTIONAL = re.compile(r"^Pss: *(\d+) kB$", re.MULTILINE)
"""Memory that several processes share is counted once, because most of a database's memory is shared."""


class NotStarted(Exception):
    """A process did not start; the message ends with its output."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The CPU seconds since their start and the current megabytes of running processes."""

    cpu_seconds: float
    megabytes: float


def tree(pid: int) -> list[int]:
    """Return the process and its descendants that still run."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, rest = [], [pid]
    while rest:
        found.append(rest.pop())
        rest += children.get(found[-1], [])
    return found


def usage_of(pids: Iterable[int]) -> Usage:
    ticks = kilobytes = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            kilobytes += int(_PROPORTIONAL.findall(Path(f"/proc/{pid}/smaps_rollup").read_text())[0])
    return Usage(ticks / _TICKS, kilobytes * 1024 / 1e6)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Service:
    """One command with its children, in a separate process group. `ready`: a URL that answers, or a TCP port."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        ready: str | int | None,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self._command = list(command)
        self._cwd = cwd
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._user = user
        self._log = cwd / f"{Path(command[0]).name}-{id(self)}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Wait until the service is ready. Raises: NotStarted if it is not ready in time."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._user,
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = self._log.read_text(errors="replace").strip().splitlines()
                raise NotStarted(f"{Path(self._command[0]).name} did not start: {said[-1] if said else 'no output'}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        match self._ready:
            case None:
                return True
            case int(port):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    return True
            case str(url):
                with contextlib.suppress(httpx.TransportError):
                    return httpx.get(url, timeout=2, trust_env=False).status_code < 500
        return False

    def kill(self) -> None:
        """Kill the whole process group with SIGKILL."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End the service, with SIGKILL for processes that do not end in time; may be called twice."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOPPED_SECONDS)
        self.kill()
        self._process = None
