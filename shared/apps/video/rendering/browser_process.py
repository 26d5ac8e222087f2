"""Start a headless Chromium, exchange messages with it through a pipe, and end it with all its processes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from shared.apps.video.rendering.profiles import new_profile, remove_profile
from shared.apps.video.rendering.programs import Program
from shared.errors import ErrorCode, RendererMissing, StorageUnavailable

_OPTIONS: Final = (
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--no-zygote", "--no-first-run", "--mute-audio"),
    # No network: every request is answered or failed by this process, and no name of a host has an address.
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-breakpad", "--no-pings"),
    # The same picture on every machine: no graphics card, no hinting by the system, one profile of colours.
    *("--disable-gpu", "--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb"),
    *("--force-device-scale-factor=1", "--hide-scrollbars", "--lang=en-US", "--disable-dev-shm-usage"),
    "--disable-checker-imaging",  # an image is drawn with the frame that shows it, not with one of the next
)
_ON_COMMAND: Final = (
    *("--enable-begin-frame-control", "--run-all-compositor-stages-before-draw", "--disable-threaded-animation"),
    *("--disable-threaded-scrolling", "--disable-new-content-rendering-timeout", "--disable-image-animation-resync"),
)
_FREE_FD: Final = 10  # of the pipe in this process; the browser has it as file descriptors 3 and 4
_BLOCK: Final = 1 << 20
_NOT_RUN: Final = (126, 127)  # exit statuses of a program that cannot be run, or that lacks a library


def lost(what: str) -> StorageUnavailable:
    """Return the fault of a browser that died or does not respond. Step Functions retries it by its class."""
    return StorageUnavailable(f"the browser that draws the video {what}", code=ErrorCode.WORKER_LOST)


class BrowserProcess:
    """A running browser. Its group has all its processes, and its folder is the only one that it writes to.

    One thread uses it; another may call `kill`, and then the method that runs raises.
    """

    def __init__(self, program: Program, size: tuple[int, int]) -> None:
        self._folder = new_profile()
        self._unsent = bytearray()
        self._unread = bytearray()
        self._messages: deque[dict[str, Any]] = deque()
        self._has_answered = False
        theirs_in, self._out = _pipe()
        self._in, theirs_out = _pipe()
        os.set_blocking(self._out, False)
        try:
            self.pid = _spawn(program, size, self._folder, theirs_in, theirs_out)
        except OSError as error:
            self.pid = 0
            self.end()
            raise RendererMissing(f"videos cannot be rendered here: {program.path} cannot be run") from error
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def kill(self) -> None:
        """End all processes of the browser now."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """End the browser and remove its folder. Nothing happens if it has ended."""
        self._reap()
        for fd in {self._in, self._out} - {-1}:
            os.close(fd)
        self._in = self._out = -1
        remove_profile(self._folder)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; `receive` sends what the pipe does not take now. Raises what `receive` raises."""
        self._unsent += json.dumps(message).encode() + b"\0"
        self._write()

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message; None if there is none after this time.

        Raises:
            StorageUnavailable: the browser died, `WORKER_LOST`.
            RendererMissing: the browser does not start on this machine.
        """
        end = time.monotonic() + seconds
        while not self._messages:
            waits = [self._out] if self._unsent else []
            readable, writable, _ = select.select([self._in], waits, [], max(0.0, end - time.monotonic()))
            if not readable and not writable:
                return None
            if writable:
                self._write()
            if readable:
                self._read()
        return self._messages.popleft()

    def _write(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._out, self._unsent[:_BLOCK])]
        except BlockingIOError:
            return
        except BrokenPipeError as error:
            raise self._death() from error

    def _read(self) -> None:
        block = os.read(self._in, _BLOCK)
        if not block:
            raise self._death()
        self._has_answered = True
        if b"\0" not in block:
            self._unread += block
            return
        first, *whole, rest = block.split(b"\0")
        self._messages += [json.loads(each) for each in (bytes(self._unread + first), *whole)]
        self._unread = bytearray(rest)

    def _death(self) -> StorageUnavailable | RendererMissing:
        status = self._reap()
        if status not in _NOT_RUN or self._has_answered:
            return lost("died")
        with contextlib.suppress(OSError):
            told = (self._folder / "errors").read_text(errors="replace").strip()[-300:]
        return RendererMissing(f"videos cannot be rendered here, because the browser does not start: {told}")

    def _reap(self) -> int | None:
        """End all processes, and return the exit status of the first one; None if that is known already."""
        self.kill()
        pid, self.pid = self.pid, 0
        if not pid:
            return None
        with contextlib.suppress(ChildProcessError):
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return None


def _pipe() -> tuple[int, int]:
    """Return both ends of a pipe, neither of which is a file descriptor that the browser's own ends become."""
    ends = os.pipe()
    free = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FREE_FD) for end in ends]
    for end in ends:
        os.close(end)
    return free[0], free[1]


def _spawn(program: Program, size: tuple[int, int], folder: Path, theirs_in: int, theirs_out: int) -> int:
    # Nothing of this process's environment: on AWS it has the function's credentials.
    environment = {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **program.environment,
    }
    actions: Sequence[tuple[Any, ...]] = (
        (os.POSIX_SPAWN_DUP2, theirs_in, 3),
        (os.POSIX_SPAWN_DUP2, theirs_out, 4),
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, str(folder / "errors"), os.O_WRONLY | os.O_CREAT, 0o600),
    )
    return os.posix_spawn(program.path, _command(program, size, folder), environment, file_actions=actions, setpgroup=0)


def _command(program: Program, size: tuple[int, int], folder: Path) -> list[str]:
    return [
        str(program.path),
        *_OPTIONS,
        *(_ON_COMMAND if program.draws_on_command else ()),
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={size[0]},{size[1]}",
        "about:blank",
    ]
