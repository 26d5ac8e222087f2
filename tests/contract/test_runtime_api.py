"""The Runtime API stand-in reads a streamed response as Lambda documents it, from any runtime."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.patience import PATIENCE
from tests.web_adapter.runtime_api import Answer, RuntimeApi

HEAD = (
    b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nHost: x\r\n"
    b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
)
PRELUDE = json.dumps({"statusCode": 201, "headers": {"x-a": "1"}, "cookies": []}).encode() + b"\0" * 8


def chunk(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    served = RuntimeApi()
    yield served
    served.shut_down()


@pytest.fixture
def runtime(api: RuntimeApi) -> Iterator[socket.socket]:
    host, port = api.address.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        yield connection


def take(api: RuntimeApi, runtime: socket.socket) -> Answer:
    """Give an invocation to the runtime."""
    answer = api.invoke({"an": "event"}, request_id="1")
    runtime.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
    received = b""
    while not received.endswith(b'{"an": "event"}'):
        received += runtime.recv(4096)
    assert b"Lambda-Runtime-Aws-Request-Id: 1\r\n" in received
    return answer


def test_the_client_gets_bytes_before_the_stream_ends(api: RuntimeApi, runtime: socket.socket) -> None:
    answer = take(api, runtime)
    # A chunk can end inside the prelude.
    runtime.sendall(HEAD + chunk(PRELUDE[:5]) + chunk(PRELUDE[5:] + b"one "))

    response = answer.response()
    body = response.iter_raw()
    first = next(body)
    runtime.sendall(chunk(b"two") + b"0\r\n\r\n")

    assert (response.status_code, response.headers["x-a"]) == (201, "1")
    assert [first, *body] == [b"one ", b"two"]
    answer.wait()
    assert answer.error_type is None


def test_the_trailers_report_an_error_in_the_middle_of_the_stream(api: RuntimeApi, runtime: socket.socket) -> None:
    answer = take(api, runtime)
    trailers = b"Lambda-Runtime-Function-Error-Type: Some.Error\r\nLambda-Runtime-Function-Error-Body: e30=\r\n"
    runtime.sendall(HEAD + chunk(PRELUDE + b"one") + b"0\r\n" + trailers + b"\r\n")

    assert answer.response().read() == b"one"
    answer.wait()
    assert answer.error_type == "Some.Error"
    assert answer.trailers["lambda-runtime-function-error-body"] == "e30="


def test_a_runtime_that_ends_in_the_middle_of_the_stream_has_failed(api: RuntimeApi, runtime: socket.socket) -> None:
    answer = take(api, runtime)
    runtime.sendall(HEAD + chunk(PRELUDE + b"one") + b"8\r\ntw")
    runtime.shutdown(socket.SHUT_RDWR)

    assert answer.response().read() == b"onetw"
    answer.wait()
    assert answer.error_type == "Runtime.TruncatedResponse"


def test_an_error_before_the_response_is_a_bad_gateway(api: RuntimeApi, runtime: socket.socket) -> None:
    answer = take(api, runtime)
    error = json.dumps({"errorType": "Some.Error", "errorMessage": "so it is"}).encode()
    head = f"POST /2018-06-01/runtime/invocation/1/error HTTP/1.1\r\nHost: x\r\nContent-Length: {len(error)}\r\n\r\n"
    runtime.sendall(head.encode() + error)

    assert answer.response().status_code == 502
    assert answer.error_type == "Some.Error"


def test_a_sandbox_that_ends_releases_its_waiting_clients(api: RuntimeApi) -> None:
    answer = api.invoke({})

    api.close(error_type="Runtime.ExitError")

    assert answer.response().status_code == 502
    assert answer.error_type == "Runtime.ExitError"
    assert not api.wait_until_asked(60)
