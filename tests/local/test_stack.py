"""The stack as a whole: it starts, serves, and leaves no process and no file, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import jwt
import pytest

import local.stack
from local.stack import AUDIENCE, ROOT, LocalStack, StackError, start_interpreter
from tests.api_user import wait_until
from tests.local.command import left_in
from tests.patience import PATIENCE
from tests.stack_forks import StackForks

SMALL = Path(__file__).parent / "stack/template.yaml"


@pytest.fixture(scope="module", autouse=True)
def _interpreters(stack_forks: StackForks) -> Iterator[None]:
    """Start these stacks as `make dev` does, not as forks."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(local.stack, "start_process", start_interpreter)
        yield


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(template=SMALL) as running:
        yield running


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_api_accepts_a_token_of_its_issuer(stack: LocalStack) -> None:
    response = httpx.post(f"{stack.api_url}/echo", headers={"authorization": f"Bearer {stack.token('alice')}"}, json={})
    assert response.status_code == 201
    assert response.headers["location"] == "/somewhere"
    assert response.json()["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "alice"
    assert httpx.post(f"{stack.api_url}/echo").status_code == 401


def test_the_issuer_can_be_discovered_and_its_tokens_verified(stack: LocalStack) -> None:
    discovery = httpx.get(f"{stack.issuer_url}/.well-known/openid-configuration").json()
    assert discovery["issuer"] == stack.issuer_url
    token = stack.token("bob", expires_in=60, scope="x")
    key = jwt.PyJWKClient(discovery["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS256"], audience=AUDIENCE, issuer=stack.issuer_url)
    assert (claims["sub"], claims["scope"], claims["exp"] - claims["iat"]) == ("bob", "x", 60)
    answer = httpx.post(f"{stack.issuer_url}/token", json={"sub": "bob"}).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)


def test_the_streaming_function_runs_with_its_environment_and_its_urls_cors(stack: LocalStack) -> None:
    response = httpx.get(f"{stack.stream_url}/", headers={"origin": stack.api_url})
    assert response.text == "millrace-Things"
    assert response.headers["access-control-allow-origin"] == "*"


def test_an_asynchronous_invocation_is_accepted_at_once(stack: LocalStack) -> None:
    answer = stack.client("lambda").invoke(FunctionName="millrace-work", InvocationType="Event", Payload=b"{}")
    assert answer["StatusCode"] == 202


def test_an_invocation_while_the_function_host_is_down_is_a_fault_of_lambda(stack: LocalStack) -> None:
    functions = stack.client("lambda")
    with stack.down("api"), pytest.raises(functions.exceptions.ServiceException) as caught:
        functions.invoke(FunctionName="millrace-work", Payload=b"{}")
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    assert functions.invoke(FunctionName="millrace-work", Payload=b"{}")["StatusCode"] == 200


def test_every_process_listens_on_loopback_only(stack: LocalStack) -> None:
    for url in (stack.api_url, stack.stream_url, stack.aws_url, stack.model_url):
        assert url.startswith("http://127.0.0.1:")


def test_stopping_leaves_no_process_no_port_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LocalStack("processes", template=SMALL) as stack:
        stack.client("lambda").invoke(FunctionName="millrace-work")
        pids = [*stack.pids().values(), *stack.processes()["work"]]
        port = int(stack.api_url.rpartition(":")[2])
        assert len(pids) == 5
        assert list(tmp_path.iterdir())
    wait_until(lambda: not any(alive(pid) for pid in pids))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("names", [("api",), ("stream",), ("api", "stream")])
def test_processes_that_were_down_start_again_on_their_ports_and_accept_earlier_tokens(
    stack: LocalStack, names: tuple[Literal["api", "stream"], ...]
) -> None:
    headers = {"authorization": f"Bearer {stack.token('alice')}"}
    before = stack.pids()
    with stack.down(*names):
        for name in names:
            with pytest.raises(httpx.ConnectError):
                httpx.get({"api": stack.api_url, "stream": stack.stream_url}[name])
    after = stack.pids()
    assert {name for name in before if before[name] != after[name]} == set(names)
    assert not any(alive(before[name]) for name in names)
    assert httpx.post(f"{stack.api_url}/echo", headers=headers, json={}).status_code == 201
    assert httpx.get(f"{stack.stream_url}/").text == "millrace-Things"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_all_processes_end_when_a_signal_ends_their_parent(number: signal.Signals, tmp_path: Path) -> None:
    program = f"""
import signal, sys, time
from pathlib import Path
from local.stack import LocalStack
signal.signal(signal.SIGINT, signal.default_int_handler)  # a command in the background inherits that it is ignored
with LocalStack("processes", template=Path({str(SMALL)!r})) as stack:
    stack.client("lambda").invoke(FunctionName="millrace-work")
    print(*stack.pids().values(), *stack.processes()["work"], flush=True)
    while True:
        time.sleep(0.1)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with parent:
        try:
            assert parent.stdout is not None
            pids = [int(pid) for pid in parent.stdout.readline().split()]
            assert len(pids) == 5
            parent.send_signal(number)
            parent.wait(PATIENCE)
        finally:
            parent.kill()
    wait_until(lambda: not any(alive(pid) for pid in pids))
    wait_until(lambda: left_in(tmp_path) == [])


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("call", ["tempfile.mkdtemp", "local.stack.start_process"])
def test_ctrl_c_while_the_stack_starts_leaves_no_process_and_no_file(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes when the call has made something that its caller does not have yet."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    functions: dict[str, Callable[..., Any]] = {
        "tempfile.mkdtemp": tempfile.mkdtemp,
        "local.stack.start_process": start_interpreter,
    }
    function = functions[call]
    returned: list[Any] = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        returned.append(function(*arguments, **options))
        signal.raise_signal(signal.SIGINT)
        return returned[-1]

    monkeypatch.setattr(call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalStack(template=SMALL).start()
    assert len(returned) == 1
    assert left_in(tmp_path) == []
    assert all(isinstance(each, str) or each.poll() is not None for each in returned)


def test_the_error_of_a_failed_start_has_the_output_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/app.py").write_text("raise RuntimeError('no stream today')")
    template = tmp_path / "template.yaml"
    properties = "{CodeUri: watch/, Handler: run.sh, FunctionUrlConfig: {AuthType: NONE}}"
    template.write_text(f"Resources: {{Watch: {{Type: AWS::Serverless::Function, Properties: {properties}}}}}")
    broken = LocalStack(template=template, model_url="http://127.0.0.1:9/v1")
    with pytest.raises(StackError, match="no stream today"):
        broken.start()
    assert broken.pids() == {}


def test_a_misspelt_override_is_an_error(tmp_path: Path) -> None:
    misspelt = LocalStack(template=SMALL, environment={"GREETNIG": "x"}, log_dir=tmp_path)
    with pytest.raises(ValueError, match="GREETNIG"):
        misspelt.start()
