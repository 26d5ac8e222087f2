"""Run built functions under Lambda's runtime emulator, each in its own process with Lambda's runtime client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.aws.credentials import aws_environment
from local.aws.iam import role_of
from local.stack import AUDIENCE, LocalStack
from local.template.template import Function, Template
from tests.contract.build_output import BUILD, lambda_environment, paths_of
from tests.contract.runtime_forks import RuntimeForks
from tests.free_port import free_port
from tests.layout import ROOT
from tests.patience import PATIENCE

ATTEMPTS = 3
"""How often a function is started before its failure to start counts."""


class NotStarted(Exception):
    """The runtime did not start or has ended: another process has taken its port, or the machine was too busy."""


class Emulated:
    """One built function; the emulator serves one request at a time."""

    def __init__(
        self, program: Path, runtime: list[str], function: Function, environment: dict[str, str], log: Path
    ) -> None:
        self._port, runtime_api = free_port(), free_port()
        arguments = ["--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        arguments += ["--runtime-api-address", f"127.0.0.1:{runtime_api}"]
        self._log = log
        self._one_at_a_time = threading.Lock()
        folder = BUILD / function.logical_id
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [program, *arguments, *runtime],
                cwd=folder,
                env={
                    "PATH": os.environ["PATH"],
                    **lambda_environment(function),
                    # The emulator counts a function's start, too; Lambda does not. A busy machine starts one slowly.
                    "AWS_LAMBDA_FUNCTION_TIMEOUT": str(max(function.timeout, int(PATIENCE))),
                    **environment,
                    "PYTHONPATH": os.pathsep.join(map(str, paths_of(function))),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_it_listens()

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError(f"the emulator did not start: {self._log.read_text()}") from None
                time.sleep(0.02)
            else:
                return

    def invoke(self, payload: dict[str, Any]) -> Any:
        with self._one_at_a_time:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            try:
                connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(payload))
                body = connection.getresponse().read()
            except (OSError, http.client.HTTPException) as error:
                raise NotStarted(f"{error}\n{self._log.read_text()}") from error
            finally:
                connection.close()
        if not body or body.startswith(b"Task timed out"):
            raise NotStarted(f"{body.decode()}\n{self._log.read_text()}")
        return json.loads(body)

    def stop(self) -> None:
        self._process.terminate()  # this ends the function's process, too
        self._process.wait(PATIENCE)


class Emulator:
    """Every built function, with the template's configuration and its own role; the first invocation starts it."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self._folder = folder
        self._aws_url = stack.aws_url
        self._functions = {function.folder: function for function in template_of(stack).functions}
        self._starting = {name: threading.Lock() for name in self._functions}
        self._started: dict[str, Emulated] = {}
        self._program = folder / "aws-lambda-rie"
        self._forks = RuntimeForks(folder)

    def __enter__(self) -> Self:
        self._forks.__enter__()
        # The SAM CLI's package has the emulator without execute permission.
        [carried] = (ROOT / ".venv-sam").glob("lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64")
        shutil.copy(carried, self._program)
        self._program.chmod(0o755)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for emulated in self._started.values():
            emulated.stop()
        self._forks.__exit__(kind, error, trace)

    def invoke(self, folder: str, payload: dict[str, Any]) -> Any:
        """Return the response of the function in the folder of that name; several threads may call this."""
        with self._starting[folder]:
            if folder not in self._started:
                self._started[folder] = self._start(self._functions[folder])
        for _ in range(ATTEMPTS - 1):
            try:
                return self._started[folder].invoke(payload)
            except NotStarted:
                with self._starting[folder]:
                    self._started[folder].stop()
                    self._started[folder] = self._start(self._functions[folder])
        return self._started[folder].invoke(payload)

    def _start(self, function: Function) -> Emulated:
        environment = {
            **aws_environment(self._aws_url, role=role_of(function.logical_id)),
            # One user creates all the jobs of these tests.
            "JOB_CREATIONS_PER_MINUTE": "1000",
        }
        runtime = self._forks.command("awslambdaric", function.handler)
        return Emulated(self._program, runtime, function, environment, self._folder / f"{function.folder}.log")


def template_of(stack: LocalStack) -> Template:
    """Return the template as `stack` deployed it."""
    return Template(
        ROOT / "template.yaml",
        parameters={"OidcIssuer": stack.issuer_url, "OidcAudience": AUDIENCE, "ModelBaseUrl": stack.model_url},
        attributes={
            "StreamJobFunctionUrl.FunctionUrl": stack.stream_url,
            "ChannelApi.ApiEndpoint": stack.channel_url.rpartition("/")[0],
        },
    )


@contextlib.contextmanager
def executions_replaced(stack: LocalStack, state: dict[str, Any]) -> Iterator[None]:
    """Replace the states of every execution that starts in this context by this one state."""
    definition = {"StartAt": "Only", "States": {"Only": state}}
    machines = template_of(stack).state_machines
    states = stack.client("stepfunctions")
    for machine in machines:
        states.update_state_machine(stateMachineArn=machine.arn, definition=json.dumps(definition))
    try:
        yield
    finally:
        for machine in machines:
            states.update_state_machine(stateMachineArn=machine.arn, definition=machine.definition)


def executions_waiting(stack: LocalStack) -> contextlib.AbstractContextManager[None]:
    """Make executions only wait, so that only the test itself runs stages."""
    return executions_replaced(stack, {"Type": "Wait", "Seconds": 600, "End": True})
