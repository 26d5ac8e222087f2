"""The function host: runs the template's functions, and returns results and errors in the form of Lambda."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
import traceback
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from local.aws.iam import role_of
from local.aws.signing import signing_as
from local.aws.xray import service_segment
from local.deployment import Deployment
from local.lambda_ import lazy_imports
from local.template.template import Function
from shared.observability import tracing
from shared.storage import aws

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST_PAYLOAD = 6 * 1024 * 1024
CONCURRENT_EXECUTIONS = 1000

_READ_SECONDS = aws.READ_SECONDS  # without an allowance


@dataclass(frozen=True, slots=True)
class Outcome:
    """Lambda's response to one invocation; `function_error` is the header that marks an error of the function."""

    status: int
    payload: bytes
    request_id: str
    function_error: str | None = None
    error_type: str | None = None

    def headers(self) -> list[tuple[str, str]]:
        headers = [("Content-Type", "application/json"), ("x-amzn-RequestId", self.request_id)]
        if self.function_error is not None:
            headers.append(("X-Amz-Function-Error", self.function_error))
        if self.error_type is not None:
            headers.append(("x-amzn-ErrorType", self.error_type))
        elif self.status == 200:
            headers.append(("X-Amz-Executed-Version", "$LATEST"))
        return headers


def failed(request_id: str, error_type: str, message: str, stack: Iterable[str] | None = None) -> Outcome:
    """Return an error of the function: status 200 with the error as payload."""
    error: dict[str, Any] = {"errorType": error_type, "errorMessage": message}
    if stack is not None:
        error |= {"requestId": request_id, "stackTrace": list(stack)}
    return Outcome(200, json.dumps(error).encode(), request_id, function_error="Unhandled")


def refused(status: int, error_type: str, message: str, *, kind: str = "User", reason: str | None = None) -> Outcome:
    """Return an error of Lambda itself: the function did not run."""
    body = {"Type": kind, "Message": message, **({} if reason is None else {"Reason": reason})}
    return Outcome(status, json.dumps(body).encode(), str(uuid.uuid4()), error_type=error_type)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event for one function."""

    function: Function
    payload: bytes
    request_id: str
    trace_id: str


class FunctionHost(ABC):
    """Finds functions by name and limits their concurrency. A subclass runs them."""

    def __init__(self, deployment: Deployment) -> None:
        self._functions = {function.name: function for function in deployment.functions}
        self._lock = threading.Lock()
        self._running: dict[str, int] = {}

    def invoke(self, name: str, payload: bytes, *, trace_id: str | None = None) -> Outcome:
        """Run the function to its end. `name` is a name or an ARN, complete or partial, with or without a qualifier."""
        function = self._functions.get(_bare_name(name))
        if function is None or function.handler.endswith(".sh"):  # AWS's Lambda Web Adapter runs these
            return refused(404, "ResourceNotFoundException", f"Function not found: {name}")
        if len(payload) > LARGEST_PAYLOAD:
            message = (
                f"{len(payload)} byte payload is too large for the RequestResponse invocation type (limit 6291456)"
            )
            return refused(413, "RequestTooLargeException", message)
        limit = CONCURRENT_EXECUTIONS if function.reserved_concurrency is None else function.reserved_concurrency
        with self._lock:
            running = self._running.get(function.name, 0)
            if running >= limit:
                reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
                return refused(429, "TooManyRequestsException", "Rate Exceeded.", reason=reason)
            self._running[function.name] = running + 1
        try:
            request_id = str(uuid.uuid4())
            with service_segment(function.name, "AWS::Lambda::Function", trace_id) as segment:
                outcome = self._run(Invocation(function, payload or b"{}", request_id, str(segment.header)))
                segment.fault = outcome.function_error is not None
        finally:
            with self._lock:
                self._running[function.name] -= 1
        if len(outcome.payload) > LARGEST_PAYLOAD:
            return failed(
                request_id,
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({LARGEST_PAYLOAD} bytes).",
            )
        return outcome

    @abstractmethod
    def warm(self) -> None:
        """Prepare for the first invocation."""

    @abstractmethod
    def processes(self) -> dict[str, list[int]]:
        """Return the ids of the processes of each function, by the function's folder."""

    def invocations(self, containing: str) -> list[dict[str, Any]]:  # noqa: ARG002 - ProcessHost uses it
        """Return the latest invocations whose payload contains this text, oldest first; this host records none."""
        return []

    def abandon(self, request_id: str) -> bool:  # noqa: ARG002 - as above
        """Return a fault of Lambda to the caller while the invocation continues; False if this is not possible."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Stop all processes that were started."""

    @abstractmethod
    def _run(self, invocation: Invocation) -> Outcome: ...


def _bare_name(name: str) -> str:
    """Return NAME for `arn:aws:lambda:…:function:NAME:live`, `123456789012:function:NAME`, `NAME:live` and `NAME`."""
    return unquote(name).rpartition("function:")[2].partition(":")[0]


def new_trace_id() -> str:
    """Return the header value of a new trace.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    return f"Root={tracing.TraceHeader.new().trace_id}"


@dataclass(slots=True)
class Context:
    """The values of awslambdaric's LambdaContext, for a handler that shares its process with others."""

    aws_request_id: str
    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    log_group_name: str
    deadline: float
    log_stream_name: str = "local"
    function_version: str = "$LATEST"
    client_context: None = None
    identity: None = None
    tenant_id: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


class ThreadHost(FunctionHost):
    """Runs every function in this process, each invocation on the caller's thread: fast, warm, easy to debug.

    It cannot kill a function: the Timeout is in the context but is not enforced. `ProcessHost` enforces it.
    """

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._root = deployment.root
        os.environ.update(_union_of_environments(deployment, self._functions.values()))
        aws.READ_SECONDS = _READ_SECONDS * deployment.allowance

    def warm(self) -> None:
        """Import every handler in the template's order, and the modules that handlers import later."""
        lazy_imports.import_all()
        for function in self._functions.values():
            if not function.handler.endswith(".sh"):
                try:
                    self._handler(function)
                except Exception:  # noqa: BLE001 - an invocation returns it to the caller
                    traceback.print_exc()

    def processes(self) -> dict[str, list[int]]:
        return {function.folder: [os.getpid()] for function in self._functions.values()}

    def close(self) -> None:
        pass

    def _handler(self, function: Function) -> Callable[[Any, Any], Any]:
        module_name, _, attribute = function.handler.rpartition(".")
        package = ".".join(function.code.relative_to(self._root.resolve()).parts)
        handler: Callable[[Any, Any], Any] = getattr(importlib.import_module(f"{package}.{module_name}"), attribute)
        return handler

    def _run(self, invocation: Invocation) -> Outcome:
        function, request_id = invocation.function, invocation.request_id
        try:
            handler = self._handler(function)
        except Exception as error:  # noqa: BLE001 - any exception of an import is a failure of the function
            traceback.print_exc()
            message = f"Unable to import module '{function.handler.rpartition('.')[0]}': {error}"
            return failed(request_id, "Runtime.ImportModuleError", message, [])
        token = tracing.invocation_header.set(invocation.trace_id)
        context = Context(
            aws_request_id=request_id,
            function_name=function.name,
            invoked_function_arn=function.arn,
            memory_limit_in_mb=str(function.memory),
            log_group_name=f"/aws/lambda/{function.name}",
            deadline=time.time() + function.timeout,
        )
        try:
            with signing_as(role_of(function.logical_id)):
                result = handler(json.loads(invocation.payload), context)
        except Exception as error:  # noqa: BLE001 - as Lambda does
            stack = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
            print(f"[ERROR] {type(error).__name__}: {error}\n{''.join(stack)}", file=sys.stderr, flush=True)
            return failed(request_id, type(error).__name__, str(error), stack)
        finally:
            tracing.invocation_header.reset(token)
        try:
            return Outcome(200, json.dumps(result, ensure_ascii=False).encode(), request_id)
        except (TypeError, ValueError) as error:
            return failed(request_id, "Runtime.MarshalError", f"Unable to marshal response: {error}", [])


def _union_of_environments(deployment: Deployment, functions: Iterable[Function]) -> dict[str, str]:
    """Merge the variables of all functions. Raises ValueError if two functions have different values for one."""
    union: dict[str, str] = {}
    owner: dict[str, str] = {}
    for function in functions:
        for name, value in deployment.variables(function).items():
            if union.setdefault(name, value) != value:
                raise ValueError(f"{owner[name]} and {function.logical_id} set {name} to different values")
            owner.setdefault(name, function.logical_id)
    return union
