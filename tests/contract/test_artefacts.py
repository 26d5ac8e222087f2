"""What `make build` made, run by Lambda's own runtime client under its emulator, on the events of `events/`."""

from __future__ import annotations

import contextlib
import filecmp
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.credentials import aws_environment
from local.intrinsics import ACCOUNT, REGION
from local.stack import AUDIENCE, LocalStack
from local.template import Function, Template

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"
LAYERS = [BUILD / "DependenciesLayer" / "python", BUILD / "SharedLayer" / "python"]
RUNTIME = ROOT / ".venv-runtime" / "bin" / "python"
UNZIPPED_LIMIT = 250 * 1024 * 1024  # bytes of a function and its layers; Lambda's quota


def event(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return content


def missing() -> str | None:
    """What stands in the way of running the artefacts, in one line."""
    if not RUNTIME.exists() or not all(layer.is_dir() for layer in LAYERS):
        return "nothing is built: make build"
    for source in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]:
        built = built_file(source.relative_to(ROOT))
        if not built.exists() or not filecmp.cmp(source, built, shallow=False):
            return f"the build is older than {source.relative_to(ROOT)}: make build"
    return None


def built_file(source: Path) -> Path:
    if source.parts[0] == "shared":
        return LAYERS[1] / source
    folder = source.parts[1]
    logical_id = "".join(word.capitalize() for word in folder.split("_")) + "Function"
    return BUILD.joinpath(logical_id, *source.parts[2:])


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    reason = missing()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def emulator_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SAM CLI carries it without the right to execute it."""
    [carried] = (ROOT / ".venv-sam").glob("lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64")
    program = tmp_path_factory.mktemp("rie") / "aws-lambda-rie"
    shutil.copy(carried, program)
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack() as running:
        # An execution that waits: the stages are then run by the tests, each in its artefact, and by nothing else.
        waiting = {"StartAt": "WaitLong", "States": {"WaitLong": {"Type": "Wait", "Seconds": 600, "End": True}}}
        running.client("stepfunctions").create_state_machine(
            name="waiting-suggestion", definition=json.dumps(waiting), roleArn=f"arn:aws:iam::{ACCOUNT}:role/any"
        )
        yield running


class Emulated:
    """One built function under the emulator, which takes one request at a time."""

    def __init__(self, program: Path, function: Function, environment: dict[str, str], log: Path) -> None:
        folder = BUILD / function.logical_id
        with contextlib.ExitStack() as closing:
            probes = [closing.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
            self._port, runtime_api = (probe.getsockname()[1] for probe in probes)
        arguments = ["--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        arguments += ["--runtime-api-address", f"127.0.0.1:{runtime_api}"]
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [program, *arguments, RUNTIME, "-m", "awslambdaric", function.handler],
                cwd=folder,
                env={
                    "PATH": os.environ["PATH"],
                    **function.environment,
                    **environment,
                    "AWS_LAMBDA_FUNCTION_NAME": function.name,
                    "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
                    "LAMBDA_TASK_ROOT": str(folder),
                    "PYTHONPATH": os.pathsep.join(map(str, [folder, *LAYERS])),
                    # Nothing listens for traces here.
                    "POWERTOOLS_TRACE_DISABLED": "true",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError(f"the emulator did not start: {self.log.read_text()}") from None
                time.sleep(0.02)
            else:
                return

    def invoke(self, payload: dict[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(payload))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()

    def stop(self) -> None:
        self._process.terminate()  # it takes the function's process with it
        self._process.wait(10)


@pytest.fixture
def emulate(stack: LocalStack, emulator_program: Path, tmp_path: Path) -> Iterator[Callable[[str], Emulated]]:
    """Starts the artefact of a folder of `functions/`, configured as the template says."""
    template = Template(
        ROOT / "template.yaml",
        parameters={"OidcIssuer": stack.issuer_url, "OidcAudience": AUDIENCE, "ModelBaseUrl": stack.model_url},
        attributes={"StreamJobFunctionUrl.FunctionUrl": stack.stream_url},
    )
    functions = {function.folder: function for function in template.functions}
    environment = aws_environment(stack.aws_url) | {
        "STATE_MACHINE_ARN_PREFIX": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:waiting-"
    }
    with contextlib.ExitStack() as closing:

        def start(folder: str) -> Emulated:
            emulated = Emulated(emulator_program, functions[folder], environment, tmp_path / f"{folder}.log")
            closing.callback(emulated.stop)
            emulated.wait_until_it_listens()
            return emulated

        yield start


def test_a_job_goes_from_creation_to_completion_through_built_artefacts(emulate: Callable[[str], Emulated]) -> None:
    answer = emulate("create_job").invoke(event("create_job.valid"))

    assert answer["statusCode"] == 202, answer
    job_id = json.loads(answer["body"])["data"]["jobId"]

    for stage in ("generate_suggestions", "validate_suggestions", "complete_job"):
        done = emulate(stage).invoke({**event(f"{stage}.first_attempt"), "jobId": job_id})
        assert done == {"jobId": job_id, "stage": stage, "status": "done"}

    read = event("get_job.valid")
    read["rawPath"] = read["requestContext"]["http"]["path"] = f"/jobs/{job_id}"
    read["pathParameters"] = {"jobId": job_id}
    job = json.loads(emulate("get_job").invoke(read)["body"])["data"]
    assert job["status"] == "completed"
    assert job["result"]["suggestions"]


def test_the_artefact_of_create_job_refuses_bad_input_as_the_source_does(emulate: Callable[[str], Emulated]) -> None:
    create_job = emulate("create_job")

    invalid = create_job.invoke(event("create_job.invalid_field"))
    malformed = create_job.invoke(event("create_job.malformed_json"))

    assert (invalid["statusCode"], malformed["statusCode"]) == (422, 400)
    assert "featureType" in invalid["body"]
    assert json.loads(malformed["body"])["error"]["code"] == "MALFORMED_REQUEST"


def test_a_failing_artefact_reports_the_class_name_that_the_state_machine_compares(
    emulate: Callable[[str], Emulated],
) -> None:
    answer = emulate("complete_job").invoke(event("complete_job.first_attempt"))

    assert answer["errorType"] == "JobEnded"


def test_everything_built_is_compiled_so_that_no_cold_start_compiles() -> None:
    for source in [*LAYERS[1].rglob("*.py"), *BUILD.glob("*Function/*.py")]:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert compiled.exists(), f"{source} is not compiled"
        # An unchecked hash: a file's date, which packaging changes, must not make Python compile again (PEP 552).
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01


def test_the_layers_fit_and_leave_out_what_the_runtime_brings() -> None:
    assert not (LAYERS[0] / "boto3").exists()
    assert sum(file.stat().st_size for layer in LAYERS for file in layer.rglob("*")) < UNZIPPED_LIMIT
