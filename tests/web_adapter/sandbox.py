"""Run a built function behind Lambda Web Adapter, in the two processes that Lambda would start."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.template.template import Function
from tests.contract.build_output import BUILD, LAYERS, RUNTIME, lambda_environment
from tests.free_port import free_port
from tests.patience import PATIENCE
from tests.web_adapter.layer import ADAPTER, OPT
from tests.web_adapter.runtime_api import Answer, RuntimeApi

# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#extensions-registration-api-d
_NOT_FOR_EXTENSIONS = (
    "_HANDLER",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
)


class Sandbox:
    """The adapter's process as an extension, and the function's process with its AWS_LAMBDA_EXEC_WRAPPER.

    The files of Lambda's /opt are in another folder here, so paths and PYTHONPATH name that folder; the port is a free
    one. Everything else is as the template has it, unless `environment` says otherwise.
    """

    def __init__(self, function: Function, environment: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self._api = RuntimeApi()
        self._log = log
        variables = {
            **lambda_environment(function),
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LWA_PORT": str(self.port),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "PATH": os.pathsep.join([str(RUNTIME.parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(map(str, LAYERS)),
            "_HANDLER": function.handler,
            **environment,
        }
        with log.open("ab") as output:
            self.adapter = subprocess.Popen(
                [ADAPTER],
                cwd="/",
                env={name: value for name, value in variables.items() if name not in _NOT_FOR_EXTENSIONS},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            wrapper = Path(variables["AWS_LAMBDA_EXEC_WRAPPER"])
            self.runtime = subprocess.Popen(
                # The wrapper gets the command of the runtime as its arguments, and may start another program instead.
                [OPT / wrapper.relative_to("/opt"), "/var/runtime/bootstrap"],
                cwd=BUILD / function.logical_id,
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        for name, process in self.processes.items():
            threading.Thread(target=self._end_with, args=(name, process), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.runtime.kill()
        self.adapter.kill()
        self.runtime.wait()
        self.adapter.wait()
        self._api.shut_down()

    def invoke(self, event: dict[str, Any], *, request_id: str | None = None) -> Answer:
        """Send the event; it waits until the previous invocation has its response."""
        return self._api.invoke(event, request_id=request_id)

    def wait_until_ready(self) -> None:
        """Wait until the adapter asks for an invocation. Raises: AssertionError with the log if it does not."""
        ready = self._api.wait_until_asked(PATIENCE)
        assert ready, f"the adapter asks for no work: {self.log}"

    @property
    def processes(self) -> dict[str, subprocess.Popen[bytes]]:
        return {"function": self.runtime, "adapter": self.adapter}

    @property
    def extensions(self) -> list[str]:
        """Return the names of the registered extensions."""
        return self._api.extensions

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _end_with(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Fail the invocation and close the sandbox when a process exits, as Lambda does."""
        process.wait()
        self._api.close(error_type="Runtime.ExitError" if name == "function" else "Extension.Crash")
        for each in self.processes.values():
            each.kill()
