"""`make bench-cold`: measure the first invocation of every built function against a bare handler and a budget.

The figure is a process's CPU time, user and system, from the kernel. A busy machine changes it little and can only
increase it, so the lowest of several processes counts. The processes run the byte-compiled output of `make build`, with
the layers on the path as on Lambda, boto3 from Lambda's runtime, and the local stack for every call.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from local.aws.credentials import aws_environment
from local.aws.iam import role_of
from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from local.template.template import Function, Template
from tests.contract.answers import JOB, Place, a_job_after, answers, function_of, payload
from tests.contract.build_output import BUILD, RUNTIME, lambda_environment, missing, paths_of
from tests.contract.emulator import executions_waiting, template_of
from tests.contract.function_kinds import Kind, kind_of
from tests.layout import ROOT

HERE = Path(__file__).parent
ROUNDS = 5
SWEEP = "sweep_jobs"
FURTHER = 2
"""The number of times that functions over their budgets get the same number of further rounds."""

READY_WITHIN = 60.0  # seconds
BUDGETS: dict[Kind, float] = {"api": 2.0, "stage": 1.5, "model stage": 3.25, "channel": 1.5, "stream": 2.5}
"""Kind of function → its budget as a multiple of the bare handler's cost. See docs/decisions/0015."""

OFFERED = Template.parameter_defaults(ROOT / "template.yaml")["DefaultModel"]
"""The stack's functions, which prepare the invocations, must use a model that the built functions offer."""

ENDED_JOB = a_job_after("generate_suggestions", "validate_suggestions", "complete_job")


@dataclass(slots=True)
class Measured:
    """A function's CPU milliseconds per process: cold, and restored from a SnapStart snapshot if it has one.

    `bare` are those of the bare handler, which runs just before each, because a machine's speed changes often.
    """

    function: Function
    kind: Kind
    bare: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    restored: list[float] = field(default_factory=list)

    def of_bare(self, spent: Sequence[float]) -> float:
        return min(spent) / min(self.bare)

    @property
    def over(self) -> bool:
        return self.of_bare(self.cold) > BUDGETS[self.kind]


class Caller:
    """One new user of the local stack, who invokes its functions directly."""

    def __init__(self, stack: LocalStack, functions: dict[str, Function]) -> None:
        self._stack = stack
        self._functions = functions
        self.name = f"user-{uuid.uuid4()}"

    def invoke(self, folder: str, payload: dict[str, Any]) -> Any:
        name = self._functions[folder].name
        url = f"{self._stack.api_url}/2015-03-31/functions/{name}/invocations"
        return httpx.post(url, json=self.signed(payload), timeout=60).json()

    def signed(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the event as a request of this user, with a new idempotency key."""
        request = payload.get("requestContext", {})
        if "authorizer" in request:
            request["authorizer"]["jwt"]["claims"]["sub"] = self.name
        if "idempotency-key" in payload.get("headers", {}):
            payload["headers"]["idempotency-key"] = str(uuid.uuid4())
        return payload


class Bench:
    """Measures function processes that use this stack."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.functions = {each.folder: each for each in template_of(stack).functions}

    def bare(self) -> float:
        """Return the CPU milliseconds of the bare handler's process."""
        function = self.functions["get_job"]
        invocation = {"event": {"PK": "nothing"}, "context": {}, "restored": False}
        return self._run(function, invocation, HERE / "bare")[0]

    def cold(self, function: Function) -> float:
        """Return the CPU milliseconds of a process that imports the function and invokes it once."""
        return self._first_invocation(function, restored=False)[0]

    def restored(self, function: Function) -> float:
        """Return the CPU milliseconds of only the first invocation after a restored SnapStart snapshot."""
        return self._first_invocation(function, restored=True)[1]

    def _first_invocation(self, function: Function, *, restored: bool) -> tuple[float, float]:
        name = next(each for each in answers() if function_of(each) == function.folder)
        prepare, check = answers()[name]
        caller = Caller(self._stack, self.functions)
        place: Place = prepare(caller)
        context = {
            "aws_request_id": str(uuid.uuid4()),
            "function_name": function.name,
            "invoked_function_arn": function.arn,
            "memory_limit_in_mb": str(function.memory),
        }
        invocation = {"event": caller.signed(payload(name, place)), "context": context, "restored": restored}
        spent, result = self._run(function, invocation, BUILD / function.logical_id)
        check(result["answer"], place)
        return spent, result.get("restored_seconds", 0.0) * 1000

    def _run(self, function: Function, invocation: dict[str, Any], code: Path) -> tuple[float, Any]:
        answer = self._folder / "answer.json"
        answer.unlink(missing_ok=True)
        command: list[str | Path] = [RUNTIME, "-P", HERE / "first_invocation.py", answer]
        with self._process(function, code, command, json.dumps(invocation)) as process:
            spent = _spent_by(process)
        if not answer.exists():
            raise SystemExit(f"{code.name} failed:\n{(self._folder / 'log').read_text()}")
        return spent, json.loads(answer.read_text())

    def stream(self, function: Function) -> float:
        """Return the CPU milliseconds of a server that passes its readiness check and sends one ended job's events."""
        caller = Caller(self._stack, self.functions)
        job_id = ENDED_JOB(caller)[JOB]
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [RUNTIME, "-m", "shared.web.server"]  # as run.sh starts it
        variables = {"AWS_LWA_PORT": str(port)}
        with self._process(function, BUILD / function.logical_id, command, "", **variables) as process:
            try:
                _wait_until_ready(f"{url}/healthz", process)
                bearer = {"Authorization": f"Bearer {self._stack.token(caller.name)}"}
                answer = httpx.get(f"{url}/jobs/{job_id}/stream", headers=bearer, timeout=30)
                assert "event: complete" in answer.text, answer.text
            finally:
                process.kill()
            return _spent_by(process)

    @contextlib.contextmanager
    def _process(
        self, function: Function, code: Path, command: Sequence[str | Path], given: str, **more: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        paths = [code, *paths_of(function)[1:]]
        variables = {
            "PATH": os.environ["PATH"],
            **lambda_environment(function),
            **aws_environment(self._stack.aws_url, role=role_of(function.logical_id)),
            "AWS_XRAY_DAEMON_ADDRESS": self._stack.xray.address,
            "_X_AMZN_TRACE_ID": "Root=1-6740f0a8-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            # Lambda mounts layers read-only, so Python writes no bytecode there.
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }
        with tempfile.TemporaryFile() as stdin, (self._folder / "log").open("wb") as log:
            stdin.write(given.encode())
            stdin.seek(0)
            process = subprocess.Popen(command, cwd=code, env=variables, stdin=stdin, stdout=log, stderr=log)
            try:
                yield process
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()


def _spent_by(process: subprocess.Popen[bytes]) -> float:
    """Wait for the process to end, and return its CPU milliseconds."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (usage.ru_utime + usage.ru_stime) * 1000


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            httpx.get(url).raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit("the stream did not start") from None
            time.sleep(0.1)
        else:
            return


def measure(bench: Bench, measured: list[Measured], rounds: int, console: Console) -> None:
    """Fill `measured` one function at a time, so that it and the bare handler run at the same machine speed."""
    for each in measured:
        console.print(each.function.folder, style="dim")
        for _ in range(rounds):
            each.bare.append(bench.bare())
            if each.kind == "stream":
                each.cold.append(bench.stream(each.function))
                continue
            each.cold.append(bench.cold(each.function))
            if each.kind == "api":
                each.restored.append(bench.restored(each.function))


def zipped(folder: Path) -> int:
    """Return the bytes of the folder as `sam package` uploads it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return buffer.getbuffer().nbytes


def unpacked(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def report(measured: list[Measured]) -> Table:
    bare = min(each for one in measured for each in one.bare)
    table = Table(title=f"CPU of a first invocation; a bare handler's is {bare:.0f} ms", title_justify="left")
    for heading in ("function", "kind"):
        table.add_column(heading)
    for heading in ("cold, ms", "of bare", "budget", "restored, ms", "of bare", "zip, kB"):
        table.add_column(heading, justify="right")
    for each in measured:
        cold = min(each.cold)
        restored = min(each.restored) if each.restored else None
        table.add_row(
            each.function.folder,
            each.kind,
            f"{cold:.0f}",
            f"{each.of_bare(each.cold):.2f}",
            f"{BUDGETS[each.kind]:.1f}" + (" missed" if each.over else ""),
            "" if restored is None else f"{restored:.0f}",
            "" if restored is None else f"{each.of_bare(each.restored):.2f}",
            f"{zipped(BUILD / each.function.logical_id) / 1e3:.1f}",
            style="red" if each.over else None,
        )
    return table


def sizes() -> Table:
    table = Table(title="Layers", title_justify="left")
    for heading in ("layer", "zipped, MB", "unpacked, MB"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for layer in sorted(BUILD.glob("*Layer")):
        table.add_row(layer.name, f"{zipped(layer) / 1e6:.1f}", f"{unpacked(layer) / 1e6:.1f}")
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes a function, of which the least counts")
    parser.add_argument("--only", nargs="*", default=[], metavar="FUNCTION", help="folders of the functions to measure")
    options = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    console = Console(width=120)
    with (
        LocalStack(environment=WITHOUT_RATE_LIMITS, model=OFFERED) as stack,
        executions_waiting(stack),
        tempfile.TemporaryDirectory() as folder,
    ):
        bench = Bench(stack, Path(folder))
        template = template_of(stack)
        measured = [
            Measured(function, kind_of(function, template))
            for function in bench.functions.values()
            if not options.only or function.folder in options.only
        ]
        measured.sort(key=lambda each: list(BUDGETS).index(each.kind))
        # The sweep reads all jobs, so it is first: each measured function adds jobs.
        measure(bench, sorted(measured, key=lambda each: each.function.folder != SWEEP), options.rounds, console)
        # Further processes can only lower the minimum.
        for _ in range(FURTHER):
            measure(bench, [each for each in measured if each.over], options.rounds, console)
    console.print(sizes())
    console.print(report(measured))
    missed = [each.function.folder for each in measured if each.over]
    if missed:
        console.print(f"over budget: {', '.join(missed)}", style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
