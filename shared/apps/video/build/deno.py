"""Run Deno in a process with limits, without permissions and with an empty environment."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.apps.video.build.toolchain import deno_program
from shared.errors import CompilerMissing, ErrorCode, StorageUnavailable

RUNTIME: Final = Path(__file__).parents[1] / "runtime"
"""The files that scenes run with; the only folder that a scene's process may read."""

NO_FETCHES: Final = ("--no-remote", "--no-npm", "--no-lock")
"""The options of every run of Deno. With them it fetches nothing."""
NO_PERMISSIONS: Final = ("--no-prompt", *NO_FETCHES)
"""What it runs code with: it asks for no permission either."""

# Each limit is set in the shell that becomes the process: a function that Python runs between fork and exec is not safe
# where there are threads. The sizes are in kB, those of files in blocks of 512 bytes.
#
# At the soft limit of CPU time the kernel sends SIGXCPU. The hard limit, at which it sends SIGKILL, is a second higher.
# So a process that ends by SIGKILL was killed by another process, or by the kernel because memory was short.
_START = """\
{ ulimit -c 0 && ulimit -t "$(($1 + 1))" && ulimit -S -t "$1" && ulimit -d "$2" && ulimit -f 8192; } || exit 125
shift 2
exec "$@"
"""
_NOT_LIMITED = 125


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use: seconds of CPU time, seconds in all, and bytes of memory.

    CPU time decides, because it does not depend on how busy the machine is; the seconds in all end a process that
    waits for something that never comes.
    """

    cpu_seconds: int
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended: its exit status (negative: the signal that ended it), and what it wrote.

    `late` says that it was killed after its seconds.
    """

    status: int
    output: str
    errors: str
    late: bool = False


async def run_deno(arguments: Sequence[str], limits: Limits, *, folder: Path, given: bytes = b"") -> Ended:
    """Run Deno until it ends or reaches a limit. `folder` is its working directory, and holds its cache.

    Raises:
        CompilerMissing: Deno is not installed, or this machine does not allow the limits.
        StorageUnavailable: the process could not be started, or was killed by another one.
    """
    program = deno_program()
    # Nothing of this process's environment: on AWS it has the function's credentials.
    environment = {"DENO_DIR": str(folder / "cache"), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    shell = ["/bin/sh", "-c", _START, "sh", str(limits.cpu_seconds), str(limits.memory // 1024)]
    try:
        process = await asyncio.create_subprocess_exec(
            *shell,
            str(program),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=folder,
        )
    except OSError as error:
        raise _lost("could not be started") from error
    ended = await _ended(process, given, limits.seconds)
    if ended.status == -signal.SIGKILL and not ended.late:
        raise _lost("was killed")
    if ended.status == _NOT_LIMITED:
        raise CompilerMissing(f"scenes cannot be built here, because a process cannot be limited: {ended.errors[:200]}")
    return ended


def _lost(what: str) -> StorageUnavailable:
    """Return the fault after which the build is tried again: it says nothing about the scene."""
    message = f"the compiler of scenes {what}; nothing was changed: try again"
    return StorageUnavailable(message, code=ErrorCode.WORKER_LOST)


async def _ended(process: asyncio.subprocess.Process, given: bytes, seconds: float) -> Ended:
    late = False
    talk = asyncio.ensure_future(process.communicate(given))
    try:
        done, _ = await asyncio.wait({talk}, timeout=seconds)
        if late := not done:
            process.kill()
        output, errors = await talk
    except BaseException:  # the caller gives up: it leaves no process behind
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(Exception):
            await talk
        raise
    status = process.returncode if process.returncode is not None else -1
    return Ended(status, output.decode(errors="replace"), errors.decode(errors="replace"), late)
