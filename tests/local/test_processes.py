"""Functions in separate processes, under the real awslambdaric."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from local.stack import LocalStack
from tests.api_user import ended_execution, wait_until
from tests.local.listening import ports_of

EVIL = "https://evil.example"
DEAD_PROXY = "http://127.0.0.1:9"
SMALL = Path(__file__).parent / "stack/template.yaml"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack("processes", template=SMALL, environment={"GREETING": "from the test"}) as running:
        yield running


def invoke(stack: LocalStack, event: dict[str, Any], name: str = "work") -> tuple[str | None, Any]:
    answer = stack.client("lambda").invoke(FunctionName=f"millrace-{name}", Payload=json.dumps(event).encode())
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def test_a_process_stays_warm_for_the_next_invocation(stack: LocalStack) -> None:
    _, first = invoke(stack, {})
    _, second = invoke(stack, {})
    assert first["pid"] == second["pid"] != os.getpid()
    assert first["requestId"] != second["requestId"]
    assert first["pid"] in stack.processes()["work"]


def test_each_function_has_the_environment_of_lambda_and_no_other_variables(stack: LocalStack) -> None:
    _, work = invoke(stack, {})
    assert work["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == "millrace-work"
    assert work["environment"]["LAMBDA_TASK_ROOT"].endswith("handlers/work")
    assert work["streamUrl"] is None
    _, echo = invoke(stack, {"queryStringParameters": {"as": "environment"}}, "echo")
    assert echo == {"streamUrl": stack.stream_url, "greeting": "from the test"}


@pytest.mark.parametrize(
    ("model_url", "expected"),
    [(None, {}), ("http://model.example/v1", {"HTTP_PROXY": DEAD_PROXY, "NO_PROXY": "127.0.0.1,localhost,::1"})],
    ids=["scripted model", "real model"],
)
def test_a_function_may_use_a_proxy_for_a_real_model_only(
    model_url: str | None, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", DEAD_PROXY)
    with LocalStack("processes", template=SMALL, model_url=model_url) as stack:
        _, work = invoke(stack, {})
    assert {name: work["environment"].get(name) for name in expected} == expected
    assert ("HTTP_PROXY" in work["environment"]) == ("HTTP_PROXY" in expected)


def test_an_exception_keeps_its_class_name_and_the_process_continues(stack: LocalStack) -> None:
    _, before = invoke(stack, {})
    error, answer = invoke(stack, {"do": "break"})
    assert (error, answer["errorType"], answer["errorMessage"]) == ("Unhandled", "Broken", "permanently")
    assert invoke(stack, {})[1]["pid"] == before["pid"]


def test_a_function_that_exceeds_its_timeout_is_killed(stack: LocalStack, tmp_path: Path) -> None:
    for name in ("first", "second"):
        error, answer = invoke(stack, {"do": "hang", "marker": str(tmp_path / name)}, "hasty")
        assert (error, answer["errorType"]) == ("Unhandled", "Sandbox.Timedout")
        assert answer["errorMessage"].endswith("Task timed out after 1.00 seconds")
    first, second = stack.invocations(str(tmp_path))
    assert first["pid"] != second["pid"]
    assert not Path(f"/proc/{second['pid']}").exists()


def test_a_process_that_exits_is_a_runtime_exit_error(stack: LocalStack) -> None:
    error, answer = invoke(stack, {"do": "exit"})
    assert (error, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert answer["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")


def test_a_process_that_is_killed_is_a_runtime_exit_error_that_step_functions_retries(
    stack: LocalStack, tmp_path: Path
) -> None:
    marker = tmp_path / "running"
    stepfunctions = stack.client("stepfunctions")
    execution = stepfunctions.start_execution(
        stateMachineArn="arn:aws:states:us-east-1:123456789012:stateMachine:millrace-work",
        name="killed",
        input=json.dumps({"do": "hang", "marker": str(marker)}),
    )["executionArn"]
    wait_until(marker.exists)
    for pid in stack.processes()["work"]:
        os.kill(pid, signal.SIGKILL)
    done = ended_execution(stack, execution)
    assert (done["status"], json.loads(done["output"])["result"]["retry"]) == ("SUCCEEDED", 1)
    (failure,) = (event for event in stack.history(execution) if event["type"] == "TaskFailed")
    assert failure["taskFailedEventDetails"]["error"] == "Runtime.ExitError"
    assert "Runtime exited with error: signal: killed" in failure["taskFailedEventDetails"]["cause"]


def test_an_abandoned_invocation_fails_for_its_caller_and_continues(stack: LocalStack, tmp_path: Path) -> None:
    marker = tmp_path / "running"
    host = f"{stack.api_url}/2015-03-31/functions/millrace-work/invocations"
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(httpx.post, host, json={"do": "hang", "marker": str(marker)})
        wait_until(marker.exists)
        (running,) = stack.invocations(str(marker))
        assert (running["function"], running["payload"]["do"], running["ended"]) == ("work", "hang", False)
        assert stack.abandon(running["requestId"])
        answer = hanging.result()
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (500, "ServiceException")
    assert not stack.abandon(running["requestId"])
    assert invoke(stack, {})[1]["pid"] != running["pid"]
    os.kill(running["pid"], signal.SIGKILL)
    wait_until(lambda: bool(stack.invocations(str(marker))[0]["ended"]))
    (ended,) = stack.invocations(str(marker))
    assert (ended["abandoned"], ended["errorType"]) == (True, "Runtime.ExitError")


def test_concurrent_invocations_have_separate_processes_up_to_the_limit(stack: LocalStack, tmp_path: Path) -> None:
    markers = [tmp_path / str(number) for number in range(3)]
    with ThreadPoolExecutor() as pool:
        hanging = [pool.submit(invoke, stack, {"do": "hang", "marker": str(marker)}) for marker in markers]
        wait_until(lambda: all(marker.exists() for marker in markers))
        assert len(stack.processes()["work"]) == 3
        host = f"{stack.api_url}/2015-03-31/functions/millrace-work/invocations"
        refusal = httpx.post(host, json={})
        for pid in stack.processes()["work"]:
            os.kill(pid, signal.SIGKILL)
        for future in hanging:
            assert future.result()[1]["errorType"] == "Runtime.ExitError"
    assert (refusal.status_code, refusal.headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")


def test_a_handler_that_cannot_be_imported_is_an_import_module_error(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/app.py").write_text("import nothing_of_this_name")
    template = tmp_path / "template.yaml"
    properties = "{FunctionName: broken, CodeUri: broken/, Handler: app.handler}"
    template.write_text(f"Resources: {{Broken: {{Type: AWS::Serverless::Function, Properties: {properties}}}}}")
    with LocalStack("processes", template=template, model_url="http://127.0.0.1:9/v1") as stack:
        answer = stack.client("lambda").invoke(FunctionName="broken")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "Runtime.ImportModuleError"


ONLY_ON_LINUX = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="only Linux lists a process's ports in /proc"
)


@ONLY_ON_LINUX
def test_a_descriptor_that_is_closed_while_the_ports_are_listed_is_left_out() -> None:
    """The list of this process's descriptors has one that is closed then: that of the listing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listener.getsockname()[1] in ports_of([os.getpid()])


@ONLY_ON_LINUX
@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Host": "evil.example"}),
        ("GET", {"Host": "127.0.0.1:1"}),
        ("GET", {"Origin": EVIL}),
        ("POST", {"Origin": "null"}),
        ("OPTIONS", {"Origin": EVIL, "Access-Control-Request-Method": "POST"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(f"{name}={text}" for name, text in value.items()),
)
def test_no_port_of_the_stack_answers_a_page_of_another_origin(
    stack: LocalStack, method: str, headers: dict[str, str]
) -> None:
    invoke(stack, {})  # starts a process, whose Runtime API is one more port
    ports = ports_of(stack.pids().values())
    known = {urlsplit(url).port for url in (stack.api_url, stack.stream_url, stack.aws_url, stack.model_url)}
    assert known < ports.keys()
    assert set(ports.values()) == {"0100007F"}, "127.0.0.1, and no address that another machine reaches"

    for port in ports:
        response = httpx.request(method, f"http://127.0.0.1:{port}/_millrace/processes", headers=headers)
        assert response.status_code == 403, port
        assert not [name for name in response.headers if name.startswith("access-control")]
