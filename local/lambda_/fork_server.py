"""Starts each process of a function as a fork of one process, which has imported the libraries that functions use.

These imports take most of the CPU time of a cold start, and there are about a hundred functions. The handler, its
environment and its state are the process's own, as if Python had started for it. The tests start the processes of their
stacks in the same way.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Final

from local import child
from local.lambda_ import lazy_imports

OF_THE_PRODUCT: Final = ("shared.bootstrap", "shared.web.app")
"""Modules that import what most functions use; they read no environment when they are imported."""
_LENGTH_BYTES: Final = 4
_MOST_DESCRIPTORS: Final = 4


@dataclass(frozen=True, slots=True)
class Start:
    """The process to start: `python -m` with these arguments, in the folder `cwd`."""

    arguments: Sequence[str]
    cwd: str
    environment: Mapping[str, str]


class Forked:
    """A process that the server has forked. `lifeline` is the descriptor of the other end of its standard input."""

    def __init__(self, pid: int, lifeline: int, report: IO[str]) -> None:
        self.pid = pid
        weakref.finalize(self, os.close, lifeline)
        self._lifeline = select.poll()  # not select.select: a host of many functions has more than 1024 descriptors
        self._lifeline.register(lifeline, select.POLLIN)
        self._report = report
        self._lock = threading.Lock()
        self._status: int | None = None

    @property
    def alive(self) -> bool:
        """Return False from the moment when the process ends, because the kernel then closes its standard input."""
        return self._status is None and not self._lifeline.poll(0)

    def poll(self) -> int | None:
        """Return the exit status as `wait` does, or None if the process has not ended; no other thread may wait."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, or the negative number of the signal that ended the process.

        Raises subprocess.TimeoutExpired if the process has not ended after `timeout` seconds.
        """
        with self._lock:
            if self._status is None:
                if not self._reported(timeout):
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
                self._status = int(self._report.readline() or -signal.SIGKILL)  # no line if the server was killed
                self._report.close()
            return self._status

    def _reported(self, timeout: float | None) -> bool:
        report = select.poll()
        report.register(self._report, select.POLLIN)
        return bool(report.poll(None if timeout is None else timeout * 1000))

    def kill(self) -> None:
        """Kill the process, unless it has ended."""
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM to the process, unless it has ended."""
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        if self.alive:
            with suppress(ProcessLookupError):  # a process that it has started still has its standard input
                os.kill(self.pid, number)


class ForkConnection:
    """The connection to a server, to start forks. Processes that share it must not start forks at the same time."""

    def __init__(self, connection: socket.socket) -> None:
        self._lock = threading.Lock()
        self._connection = connection

    def fileno(self) -> int:
        """Return the descriptor of the connection, for a child that starts forks as well."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close the connection, which ends its server; the forks continue."""
        self._connection.close()

    def start(self, process: Start, output: IO[bytes], listener: socket.socket | None = None) -> Forked:
        """Start the process with its output to this file. Raises OSError if the server has ended.

        The number that `listener` has in the process is added to the arguments.
        """
        message = json.dumps(asdict(process)).encode()
        with ExitStack() as closing:
            lifeline, standard_input = map(closing.enter_context, socket.socketpair())
            report, theirs = (
                closing.enter_context(os.fdopen(each, mode)) for each, mode in zip(os.pipe(), "rw", strict=True)
            )
            with self._lock:
                passed = (standard_input, output, theirs, *(() if listener is None else (listener,)))
                descriptors = [each.fileno() for each in passed]
                socket.send_fds(self._connection, [len(message).to_bytes(_LENGTH_BYTES)], descriptors)
                self._connection.sendall(message)
            theirs.close()
            pid = report.readline()
            if not pid:
                raise ConnectionResetError("the fork server has ended")
            standard_input.close()
            closing.pop_all()
            return Forked(int(pid), lifeline.detach(), report)


class SharedForkServer:
    """One process that has imported the modules, for several processes that start forks; see ForkServer's arguments.

    Each process that connects to `address`, an unused path, has a separate server, which is a fork of this one. Close
    it to accept no further connection. It ends with the process that starts it, also if that is killed.
    """

    def __init__(
        self,
        address: Path,
        path: Sequence[Path],
        environment: Mapping[str, str],
        *,
        modules: Sequence[str] = OF_THE_PRODUCT,
    ) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen()
            self._process = _start_server(listener, path, environment, modules, sys.executable, subprocess.PIPE)

    def close(self) -> None:
        """End the process; the servers of open connections continue."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def connect(address: Path | str) -> ForkConnection:
    """Return a connection to a new server of the SharedForkServer with this address."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(address))
    except OSError:
        connection.close()
        raise
    return ForkConnection(connection)


class ForkServer(ForkConnection):
    """The server's process, seen from the process that starts it. Close it to end the server; its forks continue.

    `path` are the folders of the modules that it may import, `environment` what Python itself needs. It imports
    `modules`, and after them all that the product imports on first use. `interpreter` is the Python that runs it.
    """

    def __init__(
        self,
        path: Sequence[Path],
        environment: Mapping[str, str],
        *,
        modules: Sequence[str] = OF_THE_PRODUCT,
        interpreter: Path | str = sys.executable,
    ) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        with theirs:
            self._process = _start_server(theirs, path, environment, modules, interpreter, subprocess.DEVNULL)

    def close(self) -> None:
        """End the server."""
        super().close()
        self._process.wait()


def _start_server(
    served: socket.socket,
    path: Sequence[Path],
    environment: Mapping[str, str],
    modules: Sequence[str],
    interpreter: Path | str,
    standard_input: int,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [interpreter, "-P", "-m", "local.lambda_.fork_server", str(served.fileno()), *modules],
        env={**environment, "PYTHONPATH": os.pathsep.join(map(str, path))},
        stdin=standard_input,
        stdout=subprocess.DEVNULL,
        pass_fds=(served.fileno(),),
        start_new_session=True,
    )


# ---- the server's process --------------------------------------------------------------------------------------------


class _Server:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reports: dict[int, int] = {}
        self._woken, self._waking = socket.socketpair()
        self._waking.setblocking(False)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> Start:
        """Fork for each message, and report the end of each fork. Returns in the forks; exits when the host ends."""
        while True:
            ready = select.select([self._connection, self._woken], [], [])[0]
            if self._woken in ready:
                self._woken.recv(4096)
                self._reap()
            if self._connection in ready:
                start = self._fork()
                if start is not None:
                    return start

    def _fork(self) -> Start | None:
        """Return None in the server's process. Exits when the host has closed the connection."""
        head, descriptors, _, _ = socket.recv_fds(self._connection, _LENGTH_BYTES, _MOST_DESCRIPTORS)
        if not head:
            sys.exit()
        message = b""
        while len(message) < int.from_bytes(head):
            message += self._connection.recv(int.from_bytes(head) - len(message))
        standard_input, output, report, *listener = descriptors
        pid = os.fork()
        if pid == 0:
            self._leave()
            os.dup2(standard_input, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
        else:
            self._reports[pid] = report
            _tell(report, pid)
        for descriptor in (standard_input, output, *listener) if pid else (standard_input, output, report):
            os.close(descriptor)
        if pid:
            return None
        start = Start(**json.loads(message))
        return replace(start, arguments=[*start.arguments, *map(str, listener)])

    def _leave(self) -> None:
        """Give up in a fork what belongs to the server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for each in (self._connection, self._woken, self._waking):
            each.close()
        for report in self._reports.values():
            os.close(report)

    def _reap(self) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            report = self._reports.pop(pid)
            _tell(report, os.waitstatus_to_exitcode(status))
            os.close(report)


def _tell(report: int, number: int) -> None:
    """Write the number to the process that has started the fork, unless that process has ended."""
    with suppress(BrokenPipeError):
        os.write(report, f"{number}\n".encode())


def _next_connection(listener: socket.socket) -> socket.socket:
    """Return each connection in a fork. Exits when standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # then the kernel keeps no status of the forks
    while True:
        if 0 in select.select([listener.fileno(), 0], [], [])[0] and not os.read(0, 1):
            sys.exit()
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                os.close(0)
                os.open(os.devnull, os.O_RDONLY)  # gets the number 0
                return socket.socket(fileno=connection.detach())


def main() -> None:
    """`python -m local.lambda_.fork_server DESCRIPTOR MODULES…`. Raises RuntimeError if a module starts a thread.

    The descriptor is that of a connection, or of a socket that listens: then each connection has a server.
    """
    modules = sys.argv[2:]
    for name in modules:
        importlib.import_module(name)
    if modules:
        lazy_imports.import_all()
    if threading.active_count() > 1:
        raise RuntimeError("an import has started a thread; a fork would have its locks, but not the thread")
    gc.collect()
    gc.freeze()
    of_python = [folder for folder in sys.path if folder not in os.environ["PYTHONPATH"].split(os.pathsep)]
    served = socket.socket(fileno=int(sys.argv[1]))
    is_listening = served.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    start = _Server(_next_connection(served) if is_listening else served).serve()
    os.chdir(start.cwd)
    os.environ.clear()
    os.environ.update(start.environment)
    time.tzset()
    sys.path[:] = [start.cwd, *start.environment["PYTHONPATH"].split(os.pathsep), *of_python]
    sys.argv = [sys.argv[0], *start.arguments]
    child.main()


if __name__ == "__main__":
    main()
