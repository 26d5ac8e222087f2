"""Runs every function in its own processes under the real awslambdaric, and serves it Lambda's Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local.aws.credentials import aws_environment
from local.aws.http_server import Environ, StartResponse, serve, status_line
from local.aws.iam import role_of
from local.deployment import Deployment
from local.lambda_.fork_server import OF_THE_PRODUCT, ForkServer, Start
from local.lambda_.functions import FunctionHost, Invocation, Outcome, failed, refused
from local.lambda_.layers import packages_of
from local.loopback import PROXY_VARIABLES
from local.template.intrinsics import REGION
from local.template.template import Function

_API = "/2018-06-01/runtime/"
_REPOSITORY = Path(__file__).resolve().parents[2]  # the folder that has `local.child`
_LONGEST_INIT = 300.0  # seconds; Lambda allows 10, on its own hardware
_RECORDS_KEPT = 5000

# The variables that a sandbox inherits. None of them makes a function behave differently than when it is deployed.
_INHERITED = PROXY_VARIABLES | {
    "AWS_XRAY_DAEMON_ADDRESS",
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
}


@dataclass(slots=True)
class Record:
    """One invocation; `outcome` is None while it runs. The caller of an abandoned one received a fault of Lambda."""

    invocation: Invocation
    sandbox: Sandbox
    abandoned: bool = False
    outcome: Outcome | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the fields; `errorType` is None for a success, and while the invocation runs."""
        failure = self.outcome is not None and self.outcome.function_error is not None
        return {
            "requestId": self.invocation.request_id,
            "function": self.invocation.function.folder,
            "payload": json.loads(self.invocation.payload),
            "pid": self.sandbox.pid,
            "abandoned": self.abandoned,
            "ended": self.outcome is not None,
            "errorType": json.loads(self.outcome.payload)["errorType"] if failure and self.outcome else None,
        }


class Sandbox:
    """One process of one function, with a Runtime API for this process only.

    It runs one invocation at a time. The process requests it (`next`), works, and posts its outcome (`response` or
    `error`). If the process ends before, or exceeds the function's Timeout, the outcome is Lambda's error for that.
    """

    def __init__(self, function: Function, environment: dict[str, str], log: Path, server: ForkServer) -> None:
        self._function = function
        self._inbox: queue.SimpleQueue[tuple[Invocation, float]] = queue.SimpleQueue()
        # None means that the process has ended.
        self._outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._deadline = 0.0
        self._ready = threading.Event()
        self._init_error: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=serve, args=(self._listener, self._serve), daemon=True).start()
        host, port = self._listener.getsockname()
        with log.open("ab") as output:
            self._process = server.start(
                Start(
                    ["awslambdaric", function.handler],
                    cwd=str(function.code),
                    environment={**environment, "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}"},
                ),
                output,
            )
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.alive

    def run(self, invocation: Invocation) -> Outcome:
        """Pass the event to the process and wait for the outcome. After it the process may have ended (see `alive`)."""
        self._ready.wait(_LONGEST_INIT)
        if self._init_error is not None:
            return Outcome(200, self._init_error, invocation.request_id, function_error="Unhandled")
        self._deadline = time.time() + self._function.timeout
        self._inbox.put((invocation, self._deadline))
        return self.wait(invocation)

    def wait(self, invocation: Invocation) -> Outcome:
        """Wait for the outcome of the invocation; after it was abandoned, call this again for the real outcome."""
        request_id = invocation.request_id
        while True:
            try:
                outcome = self._outcomes.get(timeout=max(0.0, self._deadline - time.time()))
            except queue.Empty:
                self.close()
                timeout = f"{self._function.timeout:.2f} seconds"
                return failed(
                    request_id, "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout}"
                )
            if outcome is None:
                return failed(request_id, "Runtime.ExitError", f"RequestId: {request_id} Error: {self._how_it_ended()}")
            # Skip the fault of an earlier invocation that was abandoned at the moment when it ended.
            if outcome.request_id == request_id:
                return outcome

    def abandon(self, lost: Outcome) -> None:
        """Return this outcome to the caller that waits for the invocation."""
        self._outcomes.put(lost)

    def close(self) -> None:
        """Kill the process and close its Runtime API."""
        self._process.kill()
        self._process.wait()
        # Closing alone does not wake the thread that waits in accept().
        with contextlib.suppress(OSError):  # already closed
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _watch(self) -> None:
        self._process.wait()
        self._ready.set()
        self._outcomes.put(None)

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        if code == -9:
            return "Runtime exited with error: signal: killed"
        if code < 0:
            return f"Runtime exited with error: signal: {-code}"
        return f"Runtime exited with error: exit status {code}" if code else "Runtime exited without providing a reason"

    # ---- the Runtime API -----------------------------------------------------------------------------------------

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        call = environ["PATH_INFO"].removeprefix(_API)
        if call == "invocation/next":
            return self._next(start_response)
        body: bytes = environ["wsgi.input"].read()
        if call == "init/error":
            self._init_error = body
            self._ready.set()
        else:
            _, request_id, verdict = call.split("/")
            error = "Unhandled" if verdict == "error" else None
            self._outcomes.put(Outcome(200, body, request_id, function_error=error))
        start_response(status_line(202), [("Content-Type", "application/json")])
        return [b'{"status":"OK"}']

    def _next(self, start_response: StartResponse) -> Iterable[bytes]:
        self._ready.set()
        invocation, deadline = self._inbox.get()
        start_response(
            status_line(200),
            [
                ("Content-Type", "application/json"),
                ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
                ("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000))),
                ("Lambda-Runtime-Invoked-Function-Arn", self._function.arn),
                ("Lambda-Runtime-Trace-Id", invocation.trace_id),
            ],
        )
        return [invocation.payload]


class ProcessHost(FunctionHost):
    """Runs every concurrent invocation in its own sandbox, and keeps the sandbox warm for the next invocation."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._deployment = deployment
        self._sandboxes: list[tuple[Function, Sandbox]] = []
        self._idle: dict[str, list[Sandbox]] = {name: [] for name in self._functions}
        self._records: deque[Record] = deque(maxlen=_RECORDS_KEPT)
        self._closed = False
        self._root = deployment.root
        modules = OF_THE_PRODUCT if (self._root / "shared/bootstrap.py").is_file() else ()
        self._server = ForkServer([self._root, _REPOSITORY], _inherited(), modules=modules)

    def warm(self) -> None:
        """Do nothing: as on Lambda, the first invocation of each function is a cold start."""

    def processes(self) -> dict[str, list[int]]:
        with self._lock:
            found: dict[str, list[int]] = {function.folder: [] for function in self._functions.values()}
            for function, sandbox in self._sandboxes:
                if sandbox.alive:
                    found[function.folder].append(sandbox.pid)
        return found

    def close(self) -> None:
        with self._lock:
            self._closed = True
            sandboxes = [sandbox for _, sandbox in self._sandboxes]
        for sandbox in sandboxes:
            sandbox.close()
        self._server.close()

    def _run(self, invocation: Invocation) -> Outcome:
        sandbox = self._take(invocation.function)
        record = Record(invocation, sandbox)
        self._records.append(record)
        outcome = sandbox.run(invocation)
        if outcome.error_type is not None:  # abandoned
            threading.Thread(target=self._await_abandoned, args=(record,), daemon=True).start()
        else:
            record.outcome = outcome
            self._give_back(invocation.function, sandbox)
        return outcome

    def _await_abandoned(self, record: Record) -> None:
        record.outcome = record.sandbox.wait(record.invocation)
        self._give_back(record.invocation.function, record.sandbox)

    def invocations(self, containing: str) -> list[dict[str, Any]]:
        wanted = containing.encode()
        return [record.as_json() for record in tuple(self._records) if wanted in record.invocation.payload]

    def abandon(self, request_id: str) -> bool:
        found = next((each for each in tuple(self._records) if each.invocation.request_id == request_id), None)
        if found is None or found.abandoned or found.outcome is not None:
            return False
        found.abandoned = True
        lost = refused(500, "ServiceException", "the invocation was abandoned", kind="Service")
        found.sandbox.abandon(replace(lost, request_id=request_id))
        return True

    def _take(self, function: Function) -> Sandbox:
        with self._lock:
            idle = self._idle[function.name]
            while idle:
                sandbox = idle.pop()
                if sandbox.alive:
                    return sandbox
                self._discard(sandbox)
            if self._closed:
                raise RuntimeError("the function host is closing")
            log = Path(self._deployment.log_directory) / f"{function.folder}.log"
            sandbox = Sandbox(function, self._environment(function), log, self._server)
            self._sandboxes.append((function, sandbox))
            return sandbox

    def _give_back(self, function: Function, sandbox: Sandbox) -> None:
        with self._lock:
            if sandbox.alive:
                self._idle[function.name].append(sandbox)
            else:
                self._discard(sandbox)

    def _discard(self, sandbox: Sandbox) -> None:
        self._sandboxes = [entry for entry in self._sandboxes if entry[1] is not sandbox]
        sandbox.close()

    def _environment(self, function: Function) -> dict[str, str]:
        """Return the environment that Lambda gives the function.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
        """
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return {
            **_inherited(),
            **aws_environment(self._deployment.aws_url, role=role_of(function.logical_id)),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_REGION": REGION,
            "LAMBDA_TASK_ROOT": str(function.code),
            "PYTHONPATH": os.pathsep.join(map(str, [function.code, self._root, _REPOSITORY, *packages_of([function])])),
            "_HANDLER": function.handler,
            "TZ": ":UTC",
            **self._deployment.variables(function),
        }


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in _INHERITED}
