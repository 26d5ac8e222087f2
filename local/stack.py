"""Starts and stops the local stack: moto, the function host with the API, the streaming function, and the model."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Literal, Self
from urllib.parse import quote, urlsplit

import boto3
from botocore.config import Config

from local.api.issuer import PREFIX
from local.aws.credentials import DUMMY_CREDENTIALS, aws_environment, without_real_credentials
from local.aws.deliveries import DELIVER, delivery_to
from local.aws.iam import role_of
from local.aws.xray import XRayDaemon
from local.child import RUN_DIRECTORY
from local.deployment import Deployment
from local.interrupts import interrupts_deferred
from local.lambda_.fork_server import Forked
from local.lambda_.layers import packages_of
from local.loopback import direct_to_loopback, is_loopback, without_proxies
from local.model.requests import MODEL as SCRIPTED_MODEL
from local.template.intrinsics import ACCOUNT, REGION
from local.template.template import Template
from local.web_guard import origins_of_port

ROOT = Path(__file__).resolve().parent.parent
AUDIENCE = "millrace-local"
WITHOUT_RATE_LIMITS = {"JOB_CREATIONS_PER_MINUTE": "100000", "WRITES_PER_MINUTE": "100000"}
"""Overrides of function variables for one user who sends what many users send."""
_HEALTH = {
    "aws": "/_millrace/healthz",
    "model": "/healthz",
    "api": "/_millrace/healthz",
    "stream": "/healthz",
}
"""The path of each process's health check."""
_BACKLOG = 512
_READY_WITHIN = 300.0  # seconds; the first start compiles all modules that it imports
_RESPONSE_WITHIN = 120.0  # seconds, on a busy machine
_STOPPED_WITHIN = 3.0


class StackError(Exception):
    """The stack did not start; the message ends with the last lines of the process in question."""


Process = subprocess.Popen[bytes] | Forked


@dataclass(slots=True)
class _Child:
    name: str
    url: str
    health: str
    log: Path
    command: list[str]
    environment: dict[str, str]
    process: Process

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-40:]
        return f"{self.name} (exit status {self.process.poll()}):\n" + "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Held:
    """The call that `LocalStack.holding` holds back."""

    _url: str

    def __call__(self) -> bool:
        """Return whether the call is held now."""
        return bool(_call("GET", self._url)["held"])

    def calls(self) -> list[str]:
        """Return what the calls that fit were, up to and with the held one, as in `PutItem EVT#00000007 delta`."""
        return list(_call("GET", self._url)["calls"])


class LocalStack:
    """The stack as a context manager. Every URL is on a free loopback port, without a slash at the end.

    `functions`: "threads" runs all handlers in one process, "processes" each function in its own, as Lambda does.
    `model_url`: an OpenAI-compatible base URL, which ends in /v1; without it the stack starts the scripted model.
    `model`: the default model at `model_url`, allowed in addition to the template's; by default the template's.
    `environment`: overrides of function variables, such as `{"JOB_CREATIONS_PER_MINUTE": "1000"}`.
    `dynamodb_url`: a DynamoDB to use instead of moto's, such as DynamoDB Local, without tables of this stack.
    `published_latency`: makes DynamoDB respond no sooner than on AWS (`local/aws/dynamodb_latency.py`).
    `log_dir`: the folder for the processes' output, one file for each; by default a temporary folder.
    `api_port`, `stream_port`: fixed ports instead of free ones.
    `origins`: further origins whose pages may call the API and the stream; those of the console always may.
    `allowance`: how many times longer than the template's time limits functions, executions and the gateway may take,
    for a machine that is busy with other work. Functions on threads wait for AWS as many times longer.
    `schedules`: whether functions are invoked on their schedules.
    """

    def __init__(
        self,
        functions: Literal["threads", "processes"] = "threads",
        *,
        model_url: str | None = None,
        model_api_key: str | None = None,
        model: str | None = None,
        environment: Mapping[str, str] | None = None,
        dynamodb_url: str | None = None,
        published_latency: bool = False,
        log_dir: Path | None = None,
        template: Path = ROOT / "template.yaml",
        api_port: int = 0,
        stream_port: int = 0,
        origins: Sequence[str] = (),
        allowance: int = 1,
        schedules: bool = True,
    ) -> None:
        self._mode = functions
        self._allowance = allowance
        self._schedules = schedules
        self._ports = {"aws": 0, "api": api_port, "stream": stream_port}
        self._origins = tuple(origins)
        self._given_model_url = model_url
        # The scripted model has its own name, and no price under any other.
        self._model = model or (SCRIPTED_MODEL if model_url is None else None)
        self._model_api_key = model_api_key or "local-model-key"
        self._environment = dict(environment or {})
        self._dynamodb_url = dynamodb_url
        self._published_latency = published_latency
        self._log_dir = log_dir
        self._template_file = template
        self._children: list[_Child] = []
        self._clients: dict[str, Any] = {}
        self._run_dir: Path | None = None
        self._previous_handlers: dict[signal.Signals, Any] = {}
        self._xray: XRayDaemon | None = None
        self.api_url = ""
        self.channel_url = ""
        self.stream_url = ""
        self.aws_url = ""
        self.issuer_url = ""
        self.model_url = ""

    # ---- start and stop ------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and return when all of it responds. Raises StackError.

        From then on this process connects to this machine without a proxy, whichever client the caller uses.
        """
        self._stop_on_sigterm()
        os.environ.update(direct_to_loopback(os.environ))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        with interrupts_deferred():
            self._run_dir = Path(tempfile.mkdtemp(prefix="millrace-"))
        log_dir = self._log_dir or self._run_dir
        log_dir.mkdir(parents=True, exist_ok=True)
        # The children inherit bound sockets: no other program can take the port, and a connection waits for its child.
        with contextlib.ExitStack() as closing:
            listeners = {name: closing.enter_context(_listen(port)) for name, port in self._ports.items()}
            self.aws_url, self.api_url, self.stream_url = (
                _url_of(listeners[name]) for name in ("aws", "api", "stream")
            )
            self.issuer_url = f"{self.api_url}{PREFIX}"
            self._xray = XRayDaemon()
            base = self._inherited_environment() | {
                "AWS_XRAY_DAEMON_ADDRESS": self._xray.address,
                "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(ROOT), str(self._template_file.parent)])),
                "PYTHONUNBUFFERED": "1",
                RUN_DIRECTORY: str(self._run_dir),
            }
            aws = aws_environment(self.aws_url)
            command = ["local.aws.server", "--function-host", self.api_url, "--template", str(self._template_file)]
            if self._dynamodb_url is not None:
                command += ["--dynamodb", self._dynamodb_url]
            if self._published_latency:
                command += ["--published-latency"]
            command += [f"--origin={origin}" for origin in self._page_origins]
            self._spawn("aws", listeners["aws"], command, unmeasured(base | aws), log_dir)
            self.model_url = self._given_model_url or self._start_model(unmeasured(base), log_dir)
            deployment = self._describe(log_dir)
            deployment.refuse_unknown_overrides()
            settings = self._run_dir / "deployment.json"
            deployment.save(settings)
            arguments = ["--deployment", str(settings)]
            packages = map(str, packages_of(deployment.template.functions))
            base["PYTHONPATH"] = os.pathsep.join([base["PYTHONPATH"], *packages])
            self._spawn("api", listeners["api"], ["local.api.server", *arguments], base | aws, log_dir)
            streams = any(function.has_url for function in deployment.template.functions)
            if streams:
                self._spawn("stream", listeners["stream"], ["local.api.stream", *arguments], base | aws, log_dir)
        self._create_resources(deployment.template)
        self.wait_ready()

    def _inherited_environment(self) -> dict[str, str]:
        """Return what the stack's processes take from this one: only calls to a real model may use a proxy."""
        own = without_real_credentials(os.environ)
        real = self._given_model_url is not None and not is_loopback(self._given_model_url)
        return direct_to_loopback(own) if real else without_proxies(own)

    @property
    def _page_origins(self) -> tuple[str, ...]:
        return (*origins_of_port(urlsplit(self.api_url).port or 80), *self._origins)

    def _describe(self, log_dir: Path) -> Deployment:
        origins = self._page_origins
        wanted = {
            "CorsOrigins": ",".join(origins),
            "OidcIssuer": self.issuer_url,
            "OidcAudience": AUDIENCE,
            "ModelBaseUrl": self.model_url,
        }
        if self._given_model_url is None:
            wanted["ModelPrices"] = "{}"
        declared = Template.parameter_defaults(self._template_file)
        if self._model is not None:
            allowed = [self._model, *(declared.get("AllowedModels") or "").split(",")]
            wanted |= {"DefaultModel": self._model, "AllowedModels": ",".join(dict.fromkeys(filter(None, allowed)))}
        parameters = {name: value for name, value in wanted.items() if name in declared}
        bare = Template(self._template_file, parameters=parameters)
        return Deployment(
            template_file=str(self._template_file),
            aws_url=self.aws_url,
            api_url=self.api_url,
            log_directory=str(log_dir),
            mode=self._mode,
            origins=origins,
            allowance=self._allowance,
            parameters=parameters,
            attributes={f"{resource}.FunctionUrl": self.stream_url for resource in bare.function_urls}
            | self._channel_attributes(bare),
            environment=self._environment,
            scripted_model=self._given_model_url is None,
            schedules=self._schedules,
        )

    def _channel_attributes(self, template: Template) -> dict[str, str]:
        api = template.websocket_api
        if api is None:
            return {}
        endpoint = self.api_url.replace("http:", "ws:", 1)
        self.channel_url = f"{endpoint}/{api.stage}"
        return {f"{api.logical_id}.ApiEndpoint": endpoint}

    @contextlib.contextmanager
    def down(self, *names: Literal["api", "stream"]) -> Iterator[None]:
        """Kill these processes, so that their ports refuse connections. They start again at the end of the block.

        Functions in threads end with the process "api": their work is lost, as when Lambda kills a stage.
        """
        killed = {index: child for index, child in enumerate(self._children) if child.name in names}
        held: dict[int, socket.socket] = {}
        for index, child in killed.items():
            child.process.kill()
            child.process.wait()
            _close_input(child.process)
            held[index] = _bind(urlsplit(child.url).port or 0)  # so that no connection of this machine takes the port
        try:
            yield
        finally:
            for index, child in killed.items():
                with held[index] as listener, interrupts_deferred():
                    listener.listen(_BACKLOG)
                    self._children[index] = _start_child(
                        child.name,
                        url=child.url,
                        health=child.health,
                        command=child.command,
                        environment=child.environment,
                        log_dir=child.log.parent,
                        listener=listener,
                    )
            self.wait_ready()

    def _spawn(
        self, name: str, listener: socket.socket, arguments: list[str], environment: dict[str, str], log_dir: Path
    ) -> None:
        with interrupts_deferred():
            child = _start_child(
                name,
                url=_url_of(listener),
                health=_HEALTH[name],
                command=arguments,
                environment=environment,
                log_dir=log_dir,
                listener=listener,
            )
            self._children.append(child)

    def _start_model(self, environment: dict[str, str], log_dir: Path) -> str:
        with _listen(0) as listener:
            self._spawn("model", listener, ["local.model.server"], environment, log_dir)
            return f"{_url_of(listener)}/v1"

    def wait_ready(self) -> None:
        """Return when every process passes its health check. Raises StackError with the log of one that does not."""
        deadline = time.monotonic() + _READY_WITHIN
        for child in self._children:
            while not _responds(child.url + child.health):
                if child.process.poll() is not None or time.monotonic() > deadline:
                    raise StackError(f"did not start: {child.tail()}")
                time.sleep(0.01)  # a refused connection returns at once

    def stop(self) -> None:
        """Stop every process and remove every file. Calling it again has no effect."""
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + _STOPPED_WITHIN
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            _close_input(child.process)
        self._children.clear()
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if self._xray is not None:
            self._xray.close()
            self._xray = None
        if self._run_dir is not None:
            shutil.rmtree(self._run_dir, ignore_errors=True)
            self._run_dir = None
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers.clear()

    def _stop_on_sigterm(self) -> None:
        """Make SIGTERM leave the `with` blocks as Ctrl-C does. Python allows this in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._previous_handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, _exit_on_signal)

    # ---- resources -----------------------------------------------------------------------------------------------

    def _create_resources(self, template: Template) -> None:
        dynamodb = self.client("dynamodb")
        for table in template.tables:
            # boto3 repeats the request if the response is slow, and then the table exists already.
            # Moto would keep every record of a stream; `local/aws/table_streams.py` makes those that functions get.
            stream = {} if self._dynamodb_url is None or table.stream is None else {"StreamSpecification": table.stream}
            with contextlib.suppress(dynamodb.exceptions.ResourceInUseException):
                dynamodb.create_table(**table.definition, **stream)
            if table.ttl_attribute is not None:
                ttl = {"Enabled": True, "AttributeName": table.ttl_attribute}
                dynamodb.update_time_to_live(TableName=table.name, TimeToLiveSpecification=ttl)
        model_secrets = {function.environment.get("MODEL_SECRET_ARN") for function in template.functions}
        for secret in template.secrets:
            value = secret.value or (self._model_api_key if secret.arn in model_secrets else secrets.token_urlsafe(48))
            self.client("secretsmanager").create_secret(Name=secret.name, SecretString=value)
        for bucket in template.buckets:
            self.client("s3").create_bucket(Bucket=bucket)
        for bucket, rules in template.bucket_cors.items():
            self.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
        for machine in template.state_machines:
            role = f"arn:aws:iam::{ACCOUNT}:role/{role_of(machine.logical_id)}"
            self.client("stepfunctions").create_state_machine(
                name=machine.name, definition=with_allowance(machine.definition, self._allowance), roleArn=role
            )

    # ---- use -----------------------------------------------------------------------------------------------------

    def client(self, service: str) -> Any:
        """Return the boto3 client of the stack's AWS for a service."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                region_name=REGION,
                endpoint_url=self.aws_url,
                **DUMMY_CREDENTIALS,
                config=Config(max_pool_connections=64, read_timeout=_RESPONSE_WITHIN),
            )
        return self._clients[service]

    def token(self, sub: str, *, expires_in: int = 3600, **claims: Any) -> str:
        """Return a bearer token for `sub`. Further claims override those of the issuer (aud, iss, exp …)."""
        response = _call("POST", f"{self.issuer_url}/token", {"sub": sub, "expiresIn": expires_in, **claims})
        return str(response["access_token"])

    def capacity(self, job_id: str) -> dict[str, float]:
        """Return what the job's partition has consumed so far: writeUnits, readUnits, requests."""
        partition = quote(f"JOB#{job_id}", safe="")
        return dict(_call("GET", f"{self.aws_url}/_millrace/capacity?partition={partition}"))

    def inject_fault(
        self, operation: str, *, count: int = 1, error: str | None = None, job_id: str | None = None
    ) -> None:
        """Make the next `count` calls of DynamoDB's or Step Functions' `operation` fail, for one job or for all.

        By default they are throttled as DynamoDB throttles; Step Functions' error is `ThrottlingException`.
        """
        fault: dict[str, Any] = {"operation": operation, "count": count}
        if error is not None:
            fault["error"] = error
        if job_id is not None:
            fault["partition"] = f"JOB#{job_id}"
        _call("POST", f"{self.aws_url}/_millrace/faults", fault)

    def injected_faults(self) -> dict[str, int]:
        """Return how many injected faults were returned so far, by operation."""
        return dict(_call("GET", f"{self.aws_url}/_millrace/faults"))

    def expire(self, job_id: str) -> None:
        """Let the job expire now, instead of some time after its end."""
        table = next(each.name for each in Template(self._template_file).tables if each.logical_id == "JobsTable")
        self.client("dynamodb").update_item(
            TableName=table,
            Key={"PK": {"S": f"JOB#{job_id}"}, "SK": {"S": "JOB"}},
            UpdateExpression="SET expiresAt = :now",
            ConditionExpression="attribute_exists(PK)",
            ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
        )

    @contextlib.contextmanager
    def holding(
        self, operation: str = "", *containing: str, executed: bool, skip: int = 0, function: str = ""
    ) -> Iterator[Held]:
        """Hold back one call of AWS's `operation` whose payload or path contains all these texts: the `skip`-th from 0.

        `function` is the logical id of the function that makes the call. Without it any may, and an empty operation
        means all; at least one of the three must be given. The operation `Deliver` is a delivery of a stream's records
        or a queue's messages to the function; one that is not executed is repeated later.

        Yields an object that says whether the call is held now: then its caller waits, and can be killed there. If
        `executed`, the call was executed and its response waits; otherwise it is not executed, and fails at the end of
        the block.
        """
        if not (operation or containing or function):
            raise ValueError("name the operation, the function or a text of the call to hold")
        url = f"{self.aws_url}/_millrace/hold?name={secrets.token_hex(4)}"
        hold = {"operation": operation, "containing": containing, "executed": executed, "skip": skip}
        named = delivery_to if operation == DELIVER else role_of
        _call("POST", url, {**hold, "role": named(function) if function else ""})
        try:
            yield Held(url)
        finally:
            _call("DELETE", url)

    def accesses(self) -> dict[str, list[list[str]]]:
        """Return what the template's roles have `used` and were `refused` so far: lists of role, action and ARN.

        `appended` has a list with only the role for each role that has appended events to a job's log.
        """
        accesses = dict(_call("GET", f"{self.aws_url}/_millrace/accesses"))
        if not self.channel_url:
            return accesses
        of_connections = self._channel("accesses")
        return {kind: [*entries, *of_connections.get(kind, ())] for kind, entries in accesses.items()}

    # ---- streams and queues --------------------------------------------------------------------------------------

    def sources(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return what waits for functions.

        `streams` has for each function's name the records that are `waiting`, the batches that were `delivered` and the
        records that were `givenUp`; `queues` has for each queue its messages: `visible`, `delayed`, or `hidden` after
        they were received.
        """
        return dict(_call("GET", f"{self.aws_url}/_millrace/sources"))

    def advance_queues(self, seconds: float) -> None:
        """Let this time pass for the messages of all queues, for those that are delayed or hidden."""
        _call("POST", f"{self.aws_url}/_millrace/sources", {"seconds": seconds})

    def repeat_deliveries(self, function: str, count: int = 1) -> None:
        """Deliver each of the next `count` batches of the function of this name twice, as Lambda may."""
        _call("POST", f"{self.aws_url}/_millrace/sources", {"repeat": function, "count": count})

    # ---- the channel ---------------------------------------------------------------------------------------------

    def connections(self) -> list[str]:
        """Return the ids of the open WebSocket connections, oldest first."""
        return list(self._channel("connections"))

    def channel_client(self) -> Any:
        """Return the boto3 client of the channel's `@connections`."""
        url = self.channel_url.replace("ws:", "http:", 1)
        credentials: Any = DUMMY_CREDENTIALS
        return boto3.client("apigatewaymanagementapi", region_name=REGION, endpoint_url=url, **credentials)

    def advance_channel_clock(self, seconds: float) -> None:
        """Set the WebSocket gateway's clock forward. It closes the connections that are then idle or too old."""
        self._channel("clock", {"seconds": seconds})

    @contextlib.contextmanager
    def losing_disconnects(self) -> Iterator[None]:
        """Lose the `$disconnect` event of every WebSocket connection that ends inside the block, as AWS may."""
        self._channel("disconnects", {"lost": True})
        try:
            yield
        finally:
            self._channel("disconnects", {"lost": False})

    def _channel(self, control: str, body: Mapping[str, Any] | None = None) -> Any:
        return _call("GET" if body is None else "POST", f"{self.api_url}/_millrace/channel/{control}", body)

    # ---- what it has done ----------------------------------------------------------------------------------------

    def transitions(self, execution_arn: str) -> int:
        """Return the state transitions that Step Functions Standard bills: one for each state that was entered."""
        return sum(event["type"].endswith("StateEntered") for event in self.history(execution_arn))

    def history(self, execution_arn: str) -> Iterator[dict[str, Any]]:
        """Yield the execution's events, oldest first."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        for page in pages.paginate(executionArn=execution_arn):
            yield from page["events"]

    @property
    def xray(self) -> XRayDaemon:
        """The daemon that has the traces of this stack. Raises StackError if the stack does not run."""
        if self._xray is None:
            raise StackError("the stack does not run; call start() first")
        return self._xray

    def processes(self) -> dict[str, list[int]]:
        """Return the ids of the processes of each function, by the function's folder."""
        return dict(_call("GET", f"{self.api_url}/_millrace/processes"))

    def invocations(self, containing: str) -> list[dict[str, Any]]:
        """Return the latest invocations whose payload contains this text, oldest first.

        The fields are those of `local.lambda_.runtime_api.Record`. Functions in threads have none.
        """
        return list(_call("GET", f"{self.api_url}/_millrace/invocations?containing={quote(containing, safe='')}"))

    def abandon(self, request_id: str) -> bool:
        """Return a fault of Lambda to the invocation's caller, while the process continues.

        Step Functions then retries, and the new attempt runs beside the old one. Returns False if it was not running.
        """
        return bool(_call("POST", f"{self.api_url}/_millrace/abandon?requestId={quote(request_id)}"))

    def pids(self) -> dict[str, int]:
        """Return the process id of each of the stack's own processes, by its name."""
        return {child.name: child.process.pid for child in self._children}


def with_allowance(definition: str, allowance: int) -> str:
    """Return the state machine's definition with each `TimeoutSeconds` that many times longer."""

    def scaled(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: value * allowance if name == "TimeoutSeconds" else value for name, value in fields.items()}

    return json.dumps(json.loads(definition, object_hook=scaled))


def unmeasured(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without coverage, for a process without deployed code: coverage makes moto slow."""
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE")}


def _listen(port: int) -> socket.socket:
    bound = _bind(port)
    bound.listen(_BACKLOG)
    return bound


def _url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _bind(port: int) -> socket.socket:
    """Return a socket that has the port and refuses connections until it listens. Raises StackError."""
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise StackError(f"port {port} is not available: {os.strerror(error.errno or 0)}") from error
    return bound


def _start_child(
    name: str,
    *,
    url: str,
    health: str,
    command: list[str],
    environment: dict[str, str],
    log_dir: Path,
    listener: socket.socket,
) -> _Child:
    log = log_dir / f"{name}.log"
    with log.open("ab") as output:
        process = start_process([*command, "--fd"], environment, output, listener)
    return _Child(name, url, health, log, command, environment, process)


def start_interpreter(
    arguments: list[str], environment: dict[str, str], output: IO[bytes], listener: socket.socket
) -> Process:
    """Start `python -m` with these arguments and the number of the listener, as a child that ends with this process."""
    descriptor = listener.fileno()
    return subprocess.Popen(
        [sys.executable, "-m", "local.child", *arguments, str(descriptor)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=(descriptor,),
        # A separate session, so that Ctrl-C reaches the parent only, which stops the children in order.
        start_new_session=True,
    )


start_process: Callable[[list[str], dict[str, str], IO[bytes], socket.socket], Process] = start_interpreter
"""Starts each process of a stack; the tests replace it, because most of a start is to import the same modules."""


def _close_input(process: Process) -> None:
    if isinstance(process, subprocess.Popen) and process.stdin is not None:
        process.stdin.close()


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _responds(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_RESPONSE_WITHIN)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _call(method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_RESPONSE_WITHIN)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        payload = None if body is None else json.dumps(body)
        connection.request(method, target, payload, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise StackError(f"{method} {url}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None
    finally:
        connection.close()
