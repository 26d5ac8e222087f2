"""What `make build` made, run by Lambda's own runtime client under its emulator, on the events of `events/`.

Each function reaches AWS through a gate that allows what its policy in the template allows, and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import filecmp
import gzip
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.credentials import aws_environment
from local.intrinsics import ACCOUNT, REGION
from local.stack import AUDIENCE, LocalStack
from local.template import Function, Template
from tests.contract.policy_gate import PolicyGate
from tools.validate_template.document import Document

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
    code = [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    for source in [*code, *(path for path in (ROOT / "functions").glob("*/static/**/*") if path.is_file())]:
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
            name="millrace-waiting-suggestion",
            definition=json.dumps(waiting),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
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
    resources = Document.read(ROOT / "template.yaml").resources
    gates: dict[str, PolicyGate] = {}
    waiting = {"STATE_MACHINE_ARN_PREFIX": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:millrace-waiting-"}
    with contextlib.ExitStack() as closing:

        def start(folder: str) -> Emulated:
            function = functions[folder]
            gate = gates[folder] = PolicyGate(resources[function.logical_id], template, stack.aws_url)
            closing.callback(gate.close)
            environment = aws_environment(gate.url) | waiting
            emulated = Emulated(emulator_program, function, environment, tmp_path / f"{folder}.log")
            closing.callback(emulated.stop)
            emulated.wait_until_it_listens()
            return emulated

        yield start
    assert {folder: gate.refused for folder, gate in gates.items() if gate.refused} == {}


def http_event(name: str, named: str) -> dict[str, Any]:
    """The event, about this job or agent."""
    read = event(name)
    (example,) = read["pathParameters"].values()
    text = json.dumps(read).replace(example, named)
    replaced: dict[str, Any] = json.loads(text)
    return replaced


def data(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])["data"]


def create(emulate: Callable[[str], Emulated], **fields: str) -> str:
    """A new job's id, with these fields in its input; each creation with an idempotency key of its own."""
    new = event("create_job.valid")
    new["headers"]["idempotency-key"] = str(uuid.uuid4())
    body = json.loads(new["body"])
    new["body"] = json.dumps({**body, "input": {**body["input"], **fields}})
    answer = emulate("create_job").invoke(new)
    assert answer["statusCode"] == 202, answer
    return str(data(answer)["jobId"])


def test_a_job_goes_from_creation_to_completion_through_built_artefacts(emulate: Callable[[str], Emulated]) -> None:
    job_id = create(emulate)

    for stage in ("generate_suggestions", "validate_suggestions", "complete_job"):
        done = emulate(stage).invoke({**event(f"{stage}.first_attempt"), "jobId": job_id})
        assert done == {"jobId": job_id, "stage": stage, "status": "done"}

    job = data(emulate("get_job").invoke(http_event("get_job.valid", job_id)))
    assert job["status"] == "completed"
    assert job["result"]["suggestions"]


def test_a_job_is_listed_ticketed_and_cancelled_through_built_artefacts(emulate: Callable[[str], Emulated]) -> None:
    job_id = create(emulate)

    listed = data(emulate("list_jobs").invoke(event("list_jobs.valid")))
    ticket = emulate("create_stream_ticket").invoke(http_event("create_stream_ticket.valid", job_id))
    cancelled = emulate("cancel_job").invoke(http_event("cancel_job.valid", job_id))

    assert job_id in [job["jobId"] for job in listed["jobs"]]
    assert ticket["statusCode"] == 201
    assert data(cancelled)["status"] == "cancelled"


def test_a_job_is_done_by_an_agent_through_built_artefacts(emulate: Callable[[str], Emulated]) -> None:
    made = emulate("create_agent").invoke(event("create_agent.valid"))
    assert made["statusCode"] == 201, made
    agent_id = data(made)["agentId"]
    job_id = create(emulate, agentId=agent_id)
    changed = data(emulate("update_agent").invoke(http_event("update_agent.valid", agent_id)))
    deleted = emulate("delete_agent").invoke(http_event("delete_agent.valid", agent_id))
    cancelled = emulate("cancel_job").invoke(http_event("cancel_job.valid", job_id))
    resumed = emulate("resume_job").invoke(http_event("resume_job.valid", job_id))
    for stage in ("generate_suggestions", "validate_suggestions"):
        done = emulate(stage).invoke({**event(f"{stage}.first_attempt"), "jobId": job_id, "generation": 2})
        assert done == {"jobId": job_id, "stage": stage, "status": "done"}

    assert changed["version"] == 2
    assert (deleted["statusCode"], cancelled["statusCode"], resumed["statusCode"]) == (200, 200, 202)
    job = data(emulate("get_job").invoke(http_event("get_job.valid", job_id)))
    assert job["agent"] == {"agentId": agent_id, "version": 1}
    assert emulate("get_agent").invoke(http_event("get_agent.valid", agent_id))["statusCode"] == 404
    assert emulate("list_agents").invoke(event("list_agents.valid"))["statusCode"] == 200


def test_a_job_fails_through_the_built_artefact_of_record_failure(emulate: Callable[[str], Emulated]) -> None:
    job_id = create(emulate)

    done = emulate("record_failure").invoke({**event("record_failure.model_rate_limited"), "jobId": job_id})

    assert done == {"jobId": job_id, "stage": "record_failure", "status": "done"}
    job = data(emulate("get_job").invoke(http_event("get_job.valid", job_id)))
    assert (job["status"], job["failure"]["code"]) == ("failed", "MODEL_RATE_LIMITED")


def test_the_artefact_of_create_job_refuses_bad_input_as_the_source_does(emulate: Callable[[str], Emulated]) -> None:
    create_job = emulate("create_job")

    invalid = create_job.invoke(event("create_job.invalid_field"))
    malformed = create_job.invoke(event("create_job.malformed_json"))

    assert (invalid["statusCode"], malformed["statusCode"]) == (422, 400)
    assert "featureType" in invalid["body"]
    assert json.loads(malformed["body"])["error"]["code"] == "MALFORMED_REQUEST"


def test_the_artefact_of_the_console_carries_the_page_and_its_files(emulate: Callable[[str], Emulated]) -> None:
    console = emulate("console")

    page = console.invoke(event("console.page"))
    sent = console.invoke(event("console.file"))

    assert page["body"].startswith("<!doctype html>")
    source = ROOT / "functions/console/static/millrace.js"
    assert gzip.decompress(base64.b64decode(sent["body"])) == source.read_bytes()


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
