"""Run DynamoDB Local, AWS's own engine, as a process that ends with its parent process."""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

from local.aws.credentials import without_real_credentials
from tests.free_port import free_port
from tests.patience import PATIENCE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
JARS = HERE / "target/dependency"
MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
# It runs for seconds and stores megabytes, so options for long-running servers only make its start slower.
JVM_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m")


class EngineError(Exception):
    """DynamoDB Local did not start; the message ends with its output."""


def missing() -> str | None:
    """Return in one line why it cannot run; None if it can."""
    if shutil.which("java") is None:
        return "DynamoDB Local needs Java 17 or newer, and there is no java"
    [version] = re.findall(r"<artifactId>DynamoDBLocal</artifactId>\s*<version>(.+)</version>", _pom())
    if not (JARS / f"DynamoDBLocal-{version}.jar").exists():
        return f"DynamoDB Local {version} is not fetched: it takes Java 17, Maven and `make parity`"
    return None


def _pom() -> str:
    return (HERE / "pom.xml").read_text()


class DynamoDbLocal:
    """The engine as a context manager, in memory, empty at first; `url` is on a free port and has no trailing slash.

    It has no option for the address it listens on, which is every one of the machine's.
    """

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="dynamodb-local-")

    @property
    def pid(self) -> int:
        """Return the id of the process that is the engine's parent."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        log = Path(self._directory.name) / "log"
        with log.open("wb") as output:
            self._process = _spawn(port, output, subprocess.PIPE)
        try:
            _wait_until_it_answers(self.url, self._process, log)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()  # `lifeline` waits for this
            self._process.wait(PATIENCE)
        self._directory.cleanup()


class EngineOfRun:
    """One engine for all workers of a run of tests: the first one that asks for it starts it.

    `folder` is an empty folder of the run. The process that creates this object is the run's own: the engine ends with
    it, because that process alone keeps the engine's input open for writing.
    """

    def __init__(self, folder: Path) -> None:
        os.mkfifo(folder / _INPUT)
        self._writer = os.open(folder / _INPUT, os.O_RDWR)  # for writing alone, it would wait for the engine

    def close(self) -> None:
        """End the engine, if a worker has started it."""
        os.close(self._writer)


def engine_of_run(folder: Path) -> str:
    """Return the URL of the engine of the EngineOfRun with this folder."""
    address = folder / "url"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            with (folder / _INPUT).open("rb") as lifeline, (folder / "log").open("wb") as output:
                process = _spawn(port, output, lifeline)
            _wait_until_it_answers(url, process, folder / "log")
            _started.append(process)
            address.write_text(url)
    return address.read_text()


_INPUT = "input"
_started: list[subprocess.Popen[bytes]] = []
"""The engine that this worker has started, which may live longer than the worker."""


def _spawn(port: int, output: IO[bytes], standard_input: IO[bytes] | int) -> subprocess.Popen[bytes]:
    engine = ["java", *JVM_OPTIONS, f"-Djava.library.path={JARS}", "-cp", f"{JARS}/*", MAIN_CLASS]
    # -sharedDb: one set of tables for all credentials and regions.
    options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.dynamodb_local.lifeline", *engine, *options],
        cwd=ROOT,
        env=without_real_credentials(os.environ),
        stdin=standard_input,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(url):
            return
        time.sleep(0.05)
    raise EngineError(f"DynamoDB Local did not start (exit status {process.poll()}):\n{log.read_text()[-4000:]}")


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
