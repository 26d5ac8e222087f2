"""The built stream_job behind the real Lambda Web Adapter: what a client of its function URL receives.

No test waits for a fixed time: every job waits at the point that its test chose, until the test continues it.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from httpx_sse import EventSource

from local.aws.credentials import aws_environment
from local.aws.iam import role_of
from local.stack import LocalStack
from local.template.template import Function
from tests.api_user import (
    TERMINAL,
    ApiUser,
    Event,
    any_record_waits,
    broken_rules,
    data_of,
    ended_execution,
    fold,
    refusal,
    wait_until,
)
from tests.contract import build_output
from tests.contract.build_output import event
from tests.contract.emulator import template_of
from tests.layout import EVENT_FILES
from tests.patience import PATIENCE
from tests.web_adapter import layer
from tests.web_adapter.runtime_api import Answer
from tests.web_adapter.sandbox import Sandbox

EVENTS = [name for name in EVENT_FILES if name.startswith("stream_job.")]
HANGS = "token_ms=0, first_token_ms=0, hang_after=5"
"""A model that stops in the middle of its output, so that the stage continues until the job is cancelled."""
UNKNOWN = "job_01jd8x2v5n7k3q9w4t6y8z0abc"


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    build_output.require(build_output.missing(), wanted=build_output.WANTED)
    build_output.require(layer.missing())


@pytest.fixture(scope="module")
def function(stack: LocalStack) -> Function:
    return next(each for each in template_of(stack).functions if each.folder == "stream_job")


@pytest.fixture(scope="module")
def new_sandbox(
    stack: LocalStack, function: Function, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Sandbox]]:
    """Return a function that starts a sandbox in stream_job's role; its arguments override the template's variables."""
    aws = aws_environment(stack.aws_url, role=role_of(function.logical_id))
    before = stack.accesses()["refused"]
    with ExitStack() as closing:

        def start(**variables: str) -> Sandbox:
            log = tmp_path_factory.mktemp("sandbox") / "log"
            environment = {**aws, "HEARTBEAT_SECONDS": "0.2", **variables}
            sandbox = closing.enter_context(Sandbox(function, environment, log))
            sandbox.wait_until_ready()
            return sandbox

        yield start
    assert [access for access in stack.accesses()["refused"] if access not in before] == []


@pytest.fixture(scope="module")
def sandbox(new_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """One sandbox for all tests that do not break it; it is warm after the first test."""
    return new_sandbox()


def request(job_id: str, *, token: str | None, after: int | None = None, **query: str) -> dict[str, Any]:
    """Return the event of a GET request for this job's stream at the function URL."""
    made: dict[str, Any] = json.loads(json.dumps(event("stream_job.valid")).replace(UNKNOWN, job_id))
    headers = made["headers"]
    del headers["authorization"], headers["last-event-id"]
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if after is not None:
        headers["last-event-id"] = str(after)
    if query:
        made["rawQueryString"] = urlencode(query)
        made["queryStringParameters"] = query
    return made


def events_of(response: httpx.Response) -> Iterator[Event]:
    return map(Event.of, EventSource(response).iter_sse())


def until_delta(events: Iterator[Event]) -> list[Event]:
    """Return the events up to and including the first delta."""
    seen = []
    for each in events:
        seen.append(each)
        if each.type == "delta":
            return seen
    raise AssertionError(f"no delta among {seen}")


def ids(events: list[Event]) -> list[int]:
    return [each.id for each in events if each.id is not None]


@pytest.fixture
def ask(sandbox: Sandbox, user: ApiUser) -> Callable[..., httpx.Response]:
    """Return a function that requests a job's stream and returns the response when its headers have arrived."""

    def asked(job_id: str, **rest: Any) -> httpx.Response:
        return sandbox.invoke(request(job_id, **{"token": user.token, **rest})).response()

    return asked


@pytest.fixture
def hanging_job(user: ApiUser) -> Iterator[str]:
    job_id = user.new_job(HANGS)
    yield job_id
    user.cancel(job_id)


@pytest.fixture
def ended_job(user: ApiUser) -> str:
    """A job that has ended."""
    job_id = user.new_job()
    user.ended(job_id)
    return job_id


# ---- the adapter and its function ------------------------------------------------------------------------------------


def test_the_adapter_requests_an_invocation_when_the_app_is_ready(sandbox: Sandbox, function: Function) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=PATIENCE)
    # The adapter would accept a 404 as readiness, too.
    connection.request("GET", function.environment["AWS_LWA_READINESS_CHECK_PATH"])
    answer = connection.getresponse()

    assert (answer.status, answer.read()) == (200, b"ok")
    connection.close()
    assert sandbox.extensions == ["lambda-adapter"]


@pytest.mark.parametrize("name", EVENTS)
def test_the_response_contains_every_event_of_the_job(
    sandbox: Sandbox, user: ApiUser, ended_job: str, name: str
) -> None:
    about = json.loads(json.dumps(event(name)).replace(UNKNOWN, ended_job))
    about["headers"]["authorization"] = f"Bearer {user.token}"

    events = list(events_of(sandbox.invoke(about).response()))

    assert events == user.watch(ended_job)
    assert events[-1].type == "complete"


def test_the_status_and_headers_come_before_the_streamed_body(sandbox: Sandbox, user: ApiUser, ended_job: str) -> None:
    request_id = str(uuid.uuid4())
    about = request(ended_job, token=user.token)
    about["requestContext"]["requestId"] = request_id

    answer = sandbox.invoke(about, request_id=request_id)
    response = answer.response()
    answer.wait()

    assert answer.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert answer.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-request-id"] == request_id
    # The function URL adds the CORS headers, and a stream has no content length.
    assert not [name for name in response.headers if name.startswith("access-control-")]
    assert "content-length" not in response.headers
    assert answer.error_type is None


def test_the_watcher_gets_the_first_delta_of_a_live_job(
    ask: Callable[..., httpx.Response], user: ApiUser, hanging_job: str
) -> None:
    events = events_of(ask(hanging_job))

    begun = until_delta(events)
    status = user.job(hanging_job)["status"]
    user.cancel(hanging_job)
    rest = list(events)

    assert begun[-1].data["text"]
    assert status == "in_progress"
    assert rest[-1].type == "cancelled"
    assert ids(begun + rest) == list(range(1, ids(rest)[-1] + 1))


def test_a_warm_sandbox_serves_several_streams_in_turn(
    sandbox: Sandbox, ask: Callable[..., httpx.Response], user: ApiUser
) -> None:
    before = sandbox.runtime.pid
    for _ in range(3):
        job_id = user.new_job()
        received = list(events_of(ask(job_id)))
        assert fold(received) == user.job(job_id)["text"]
        assert received[-1].type == "complete"

    assert (sandbox.runtime.pid, sandbox.runtime.poll()) == (before, None)


def test_the_adapter_forwards_each_heartbeat_at_once(
    ask: Callable[..., httpx.Response], user: ApiUser, hanging_job: str
) -> None:
    lines = ask(hanging_job).iter_lines()
    beats = (line for line in lines if line.startswith(":"))

    seen = [next(beats), next(beats)]
    user.cancel(hanging_job)

    assert seen == [": heartbeat", ": heartbeat"]
    assert "event: cancelled" in list(lines)


def test_both_processes_fit_into_the_functions_memory(
    sandbox: Sandbox, function: Function, ask: Callable[..., httpx.Response], ended_job: str, capsys: Any
) -> None:
    assert ask(ended_job).read()

    used = {name: _peak_megabytes(process.pid) for name, process in sandbox.processes.items()}

    with capsys.disabled():
        sys.stdout.write(
            f"\nstream_job: {used['function']:.0f} MB of {function.memory}, its adapter {used['adapter']:.0f} MB\n"
        )
    # The other half is for streams that are longer than a test's.
    assert sum(used.values()) < function.memory / 2


def _peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


# ---- reconnecting ----------------------------------------------------------------------------------------------------


def test_a_client_that_reconnects_gets_the_events_after_its_last_event(
    ask: Callable[..., httpx.Response], user: ApiUser, ended_job: str
) -> None:
    whole = user.watch(ended_job)
    middle = ids(whole)[len(whole) // 2]

    by_header = list(events_of(ask(ended_job, after=middle)))
    by_query = list(events_of(ask(ended_job, lastEventId=str(middle))))

    assert by_header[1:] == [each for each in whole if each.id is not None and each.id > middle]
    assert by_query == by_header


def test_a_client_that_reconnects_after_the_terminal_event_gets_204(
    sandbox: Sandbox, user: ApiUser, ended_job: str
) -> None:
    last = ids(user.watch(ended_job))[-1]

    answer = sandbox.invoke(request(ended_job, token=user.token, after=last))

    response = answer.response()
    assert (response.status_code, response.read()) == (204, b"")
    answer.wait()
    assert answer.error_type is None


def test_a_connection_ends_cleanly_after_its_window_and_the_next_one_continues(
    new_sandbox: Callable[..., Sandbox], user: ApiUser, hanging_job: str
) -> None:
    hurried = new_sandbox(STREAM_WINDOW_SECONDS="0.5")
    about = request(hanging_job, token=user.token, tab="mine")
    wait_until(lambda: user.job(hanging_job)["text"])  # so that there are events for a connection, however short it is

    def connected() -> tuple[Answer, list[Event]] | None:
        """Return a connection and its events; None without any: on a busy machine it may end before its first read."""
        answer = hurried.invoke(about)
        found = list(events_of(answer.response()))
        return (answer, found) if ids(found) else None

    connection = wait_until(connected)
    assert connection is not None
    answer, first = connection
    user.cancel(hanging_job)
    about = request(hanging_job, token=user.token, tab="mine", after=ids(first)[-1])
    second = list(events_of(hurried.invoke(about).response()))

    assert answer.error_type is None
    assert not TERMINAL & {each.type for each in first}
    assert second[-1].type == "cancelled"
    assert ids(first + second) == list(range(1, ids(second)[-1] + 1))


def test_a_ticket_in_the_query_opens_the_stream(
    ask: Callable[..., httpx.Response], user: ApiUser, ended_job: str
) -> None:
    ticket = data_of(user.api.post(f"/jobs/{ended_job}/stream-tickets"), 201)["ticket"]

    assert list(events_of(ask(ended_job, token=None, ticket=ticket))) == user.watch(ended_job)


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_the_client_gets_refusals_with_their_status_and_envelope(
    ask: Callable[..., httpx.Response], new_user: Callable[[], ApiUser], ended_job: str
) -> None:
    unknown_caller = read(ask(ended_job, token=None))
    refusal(unknown_caller, 401, "UNAUTHENTICATED")
    assert unknown_caller.headers["www-authenticate"] == "Bearer"
    refusal(read(ask(ended_job, token=None, ticket="x.y")), 401, "UNAUTHENTICATED")
    refusal(read(ask(ended_job, token=new_user().token)), 403, "FORBIDDEN")
    refusal(read(ask(UNKNOWN)), 404, "NOT_FOUND")
    assert broken_rules(read(ask(ended_job, lastEventId="x"))).keys() == {"Last-Event-ID"}


def test_the_refusal_of_a_sixth_stream_has_the_time_to_wait(
    ask: Callable[..., httpx.Response], user: ApiUser, hanging_job: str
) -> None:
    with ExitStack() as open_elsewhere:
        for _ in range(5):
            open_elsewhere.enter_context(user.stream(hanging_job))

        answer = read(ask(hanging_job))

    refusal(answer, 429, "STREAM_LIMIT_EXCEEDED")
    assert int(answer.headers["retry-after"]) > 0


def read(response: httpx.Response) -> httpx.Response:
    response.read()
    return response


# ---- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("ProvisionedThroughputExceededException", 503, "STORAGE_THROTTLED"),
        ("ValidationException", 500, "INTERNAL_ERROR"),
    ],
)
def test_a_fault_before_the_stream_is_a_response_and_not_a_failed_invocation(
    sandbox: Sandbox, user: ApiUser, ended_job: str, fault: str, status: int, code: str
) -> None:
    # Functions that end the job or learn of its end read it as well; the faults are for the stream's function.
    ended_execution(user.stack, user.job(ended_job)["executionArn"])
    wait_until(lambda: not any_record_waits(user.stack))
    user.stack.inject_fault("GetItem", error=fault, count=3, job_id=ended_job)

    answer = sandbox.invoke(request(ended_job, token=user.token))

    refusal(read(answer.response()), status, code)
    assert answer.error_type is None


def test_a_database_fault_ends_the_connection_and_the_client_can_reconnect(
    sandbox: Sandbox, user: ApiUser, hanging_job: str
) -> None:
    answer = sandbox.invoke(request(hanging_job, token=user.token))
    events = events_of(answer.response())
    begun = until_delta(events)

    user.stack.inject_fault("Query", count=3, job_id=hanging_job)
    begun += events
    user.cancel(hanging_job)
    rest = list(events_of(sandbox.invoke(request(hanging_job, token=user.token, after=ids(begun)[-1])).response()))

    assert answer.error_type is None
    assert not TERMINAL & {each.type for each in begun}
    assert rest[-1].type == "cancelled"
    assert ids(begun + rest) == list(range(1, ids(rest)[-1] + 1))


def test_a_defect_breaks_the_connection_and_clients_ignore_the_adapters_trailers(
    sandbox: Sandbox, user: ApiUser, hanging_job: str
) -> None:
    answer = sandbox.invoke(request(hanging_job, token=user.token))
    received = bytearray()
    response = answer.response()

    def kept() -> Iterator[bytes]:
        for piece in response.iter_raw():
            received.extend(piece)
            yield piece

    events = events_of(httpx.Response(200, headers=response.headers, content=kept()))
    begun = until_delta(events)
    # A poll that is refused is sent twice more, directly and by botocore (docs/decisions/0063), and refused again.
    user.stack.inject_fault("Query", count=3, error="ValidationException", job_id=hanging_job)
    begun += events
    user.cancel(hanging_job)
    rest = list(events_of(sandbox.invoke(request(hanging_job, token=user.token, after=ids(begun)[-1])).response()))

    # Lambda's Rust runtime writes its error trailers into the body (docs/decisions/0012): two lines, not an event.
    assert b"\nLambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n" in received
    assert (answer.trailers, answer.error_type) == ({}, None)
    assert not TERMINAL & {each.type for each in begun}
    assert rest[-1].type == "cancelled"
    assert ids(begun + rest) == list(range(1, ids(rest)[-1] + 1))


def test_a_client_that_reconnects_after_the_function_died_loses_no_event(
    new_sandbox: Callable[..., Sandbox], ask: Callable[..., httpx.Response], user: ApiUser, hanging_job: str
) -> None:
    dying = new_sandbox()
    events = events_of(dying.invoke(request(hanging_job, token=user.token, tab="mine")).response())
    begun = until_delta(events)

    os.kill(dying.runtime.pid, signal.SIGKILL)
    begun += events
    user.cancel(hanging_job)
    rest = list(events_of(ask(hanging_job, after=ids(begun)[-1], tab="mine")))

    assert not TERMINAL & {each.type for each in begun}
    assert rest[-1].type == "cancelled"
    assert ids(begun + rest) == list(range(1, ids(rest)[-1] + 1))


def test_the_client_gets_a_server_error_if_the_function_dies_before_its_response(
    new_sandbox: Callable[..., Sandbox], user: ApiUser, ended_job: str
) -> None:
    dying = new_sandbox()
    os.kill(dying.runtime.pid, signal.SIGSTOP)

    answer = dying.invoke(request(ended_job, token=user.token))
    os.kill(dying.runtime.pid, signal.SIGKILL)

    assert answer.response().status_code == 502
    assert answer.error_type is not None


def test_a_function_whose_app_does_not_start_accepts_no_invocation(new_sandbox: Callable[..., Sandbox]) -> None:
    with pytest.raises(AssertionError, match="No module named"):
        new_sandbox(PYTHONPATH="")
