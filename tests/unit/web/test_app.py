"""The app factory: every response is the envelope with the request's id."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI
from pydantic import ConfigDict
from starlette.types import Message, Receive, Scope, Send

from shared.errors import Conflict, StorageUnavailable
from shared.jobs.job import JobLinks
from shared.web.app import MAX_BODY_BYTES, CurrentExchange, create_app
from shared.web.envelope import Operation

JSON = {"Content-Type": "application/json"}
TRACE = "1-5759e988-bd862e3fe1be46a994272793"


class NewLinks(JobLinks):
    """A request body whose data model is built at once, not at the first request."""

    model_config = ConfigDict(defer_build=False)


@pytest.fixture
def app() -> FastAPI:
    app = create_app(Operation.GET_JOB)

    @app.post("/links")
    def links(body: NewLinks, exchange: CurrentExchange) -> dict[str, str | None]:
        return {"session": body.session_id, "request": exchange.request_id, "trace": exchange.trace_id}

    @app.post("/anything")
    def anything(body: Annotated[Any, Body()] = None) -> Any:
        return {"got": body}

    @app.get("/conflict")
    def conflict() -> None:
        raise Conflict("not now")

    @app.get("/storage")
    def storage() -> None:
        raise StorageUnavailable("the database could not be reached")

    @app.get("/defect")
    def defect() -> None:
        raise ZeroDivisionError("with a secret in its text")

    @app.get("/jobs/{jobId}")
    def job(limit: int = 7) -> None:
        raise ZeroDivisionError

    return app


@pytest.fixture
def call(app: FastAPI) -> Callable[..., httpx.Response]:
    def send(method: str, path: str, *, event: Any = None, **options: Any) -> httpx.Response:
        async def with_event(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "aws.event": event} if event else scope, receive, send)

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(with_event)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.request(method, path, **options)

        return asyncio.run(request())

    return send


def error_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    envelope = response.json()
    assert envelope["meta"]["requestId"] == response.headers["x-request-id"]
    assert envelope["meta"]["operation"] == "get_job"
    assert envelope["error"]["code"] == code
    error: dict[str, Any] = envelope["error"]
    return error


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/conflict", 409, "CONFLICT"),
        ("GET", "/storage", 503, "STORAGE_UNAVAILABLE"),
        ("GET", "/defect", 500, "INTERNAL_ERROR"),
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("DELETE", "/conflict", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_every_error_response_is_the_envelope(
    call: Callable[..., httpx.Response], method: str, path: str, status: int, code: str
) -> None:
    error_of(call(method, path), status, code)


def test_the_response_to_a_defect_does_not_contain_its_text(
    call: Callable[..., httpx.Response], capsys: pytest.CaptureFixture[str]
) -> None:
    response = call("GET", "/defect")

    assert "secret" not in response.text + capsys.readouterr().out


def test_a_request_has_the_gateways_request_id_and_trace(call: Callable[..., httpx.Response]) -> None:
    event = {"requestContext": {"requestId": "gateway-1"}}

    response = call(
        "POST", "/links", json={"sessionId": "s"}, event=event, headers={"X-Amzn-Trace-Id": f"Root={TRACE}"}
    )

    assert response.json() == {"session": "s", "request": "gateway-1", "trace": TRACE}
    assert response.headers["x-request-id"] == "gateway-1"


def test_a_request_has_the_id_from_the_web_adapter(call: Callable[..., httpx.Response]) -> None:
    context = json.dumps({"requestId": "3f2b1c0d-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "stage": "$default"})

    response = call("POST", "/links", json={}, headers={"X-Amzn-Request-Context": context})

    assert response.json()["request"] == response.headers["x-request-id"] == "3f2b1c0d-5e6f-4a7b-8c9d-0e1f2a3b4c5d"


@pytest.mark.parametrize(
    "context",
    [
        *("", "x", "null", "1", "[]", "{}", "[" * 50_000),
        *(json.dumps({"requestId": given}) for given in (None, ["r"], "", "two words", "r" * 65, "r\r\nx: y")),
    ],
)
def test_an_invalid_request_id_is_replaced(call: Callable[..., httpx.Response], context: str) -> None:
    response = call("POST", "/links", json={}, headers={"X-Amzn-Request-Context": context})

    assert response.status_code == 200
    assert uuid.UUID(response.headers["x-request-id"])


@pytest.mark.parametrize("sent", ["R" * 5000, "Root=1-abc", f"Root={TRACE}0", "Root=<script>", ";=;"])
def test_an_invalid_trace_id_is_replaced(call: Callable[..., httpx.Response], sent: str) -> None:
    response = call("POST", "/links", json={}, headers={"X-Amzn-Trace-Id": sent})

    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", response.json()["trace"])
    assert sent not in response.text


@pytest.mark.parametrize("path", ["/conflict", "/storage", "/defect", "/nowhere"])
def test_every_refusal_has_its_trace_id(call: Callable[..., httpx.Response], path: str) -> None:
    response = call("GET", path, headers={"X-Amzn-Trace-Id": f"Root={TRACE}"})

    assert response.json()["meta"]["traceId"] == TRACE


def test_lambdas_trace_id_takes_precedence_over_the_clients(
    call: Callable[..., httpx.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1")
    response = call("POST", "/links", json={}, headers={"X-Amzn-Trace-Id": f"Root=1-5759e988-{'0' * 24}"})

    assert response.json()["trace"] == TRACE


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON ; charset=utf-8"])
def test_a_json_body_is_accepted(call: Callable[..., httpx.Response], media_type: str) -> None:
    response = call("POST", "/anything", content=b'{"a": 1}', headers={"Content-Type": media_type})

    assert response.json() == {"got": {"a": 1}}


@pytest.mark.parametrize("media_type", ["text/plain", "", "application/json-patch+json", "multipart/form-data"])
def test_a_body_with_another_media_type_is_refused(call: Callable[..., httpx.Response], media_type: str) -> None:
    response = call("POST", "/anything", content=b"{}", headers={"Content-Type": media_type})

    error_of(response, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_request_without_a_body_needs_no_media_type(call: Callable[..., httpx.Response]) -> None:
    assert call("POST", "/anything").json() == {"got": None}


@pytest.mark.parametrize("extra", [0, 1])
def test_a_body_of_one_byte_over_the_limit_is_refused(call: Callable[..., httpx.Response], extra: int) -> None:
    content = b'"' + b"x" * (MAX_BODY_BYTES - 2 + extra) + b'"'

    response = call("POST", "/anything", content=content, headers=JSON)

    assert response.status_code == (413 if extra else 200)


def test_an_endless_body_is_refused_at_the_limit(call: Callable[..., httpx.Response]) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1024
            yield b"x" * 1024

    error_of(call("POST", "/anything", content=endless(), headers=JSON), 413, "PAYLOAD_TOO_LARGE")
    assert sent <= MAX_BODY_BYTES + 2048


def test_a_body_in_several_messages_is_joined(app: FastAPI) -> None:
    parts: list[Message] = [
        {"type": "http.request", "body": b'{"sess', "more_body": True},
        {"type": "http.request", "body": b'ionId": "s"}', "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return parts.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/links",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(app(scope, receive, send))

    assert json.loads(sent[1]["body"])["session"] == "s"


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 30_000, b"9" * 5000])
def test_a_body_that_is_not_valid_json_is_malformed(call: Callable[..., httpx.Response], content: bytes) -> None:
    error_of(call("POST", "/links", content=content, headers=JSON), 400, "MALFORMED_REQUEST")


def test_a_lone_surrogate_fails_validation(call: Callable[..., httpx.Response]) -> None:
    for content in (rb'{"\ud800": 1}', rb'{"sessionId": "\ud800"}'):
        error_of(call("POST", "/links", content=content, headers=JSON), 422, "VALIDATION_FAILED")


def test_a_streamed_response_is_measured_when_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    from fastapi.responses import StreamingResponse  # noqa: PLC0415

    app = create_app(Operation.STREAM_JOB)

    async def slow() -> AsyncIterator[bytes]:
        yield capsys.readouterr().out.encode()

    @app.get("/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(slow())

    async def request() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return (await client.get("/stream")).text

    assert "RequestMilliseconds" in asyncio.run(request())


@pytest.mark.parametrize("path", ["/links", "/conflict", "/defect", "/nowhere", "/anything?x=1"])
def test_every_response_stays_out_of_caches_and_keeps_its_type(call: Callable[..., httpx.Response], path: str) -> None:
    for method in ("GET", "POST"):
        headers = call(method, path, json={}).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_an_unknown_query_parameter_is_refused_with_the_known_ones(call: Callable[..., httpx.Response]) -> None:
    refused = call("GET", "/jobs/job_1?limt=3&limit=4")
    assert refused.status_code == 422
    [field] = refused.json()["error"]["details"]["fields"]
    rule = "is not a query parameter of this operation; correct its name (known: limit) or remove it"
    assert field == {"field": "limt", "rule": rule}
    assert call("GET", "/conflict?a=").json()["error"]["details"]["fields"][0]["rule"].endswith("operation; remove it")


@pytest.mark.parametrize(
    ("job_id", "logged"), [("job_01jd8x2v5n7k3q9w4t6y8z0abc", True), ("a%20prompt%20in%20the%20path", False)]
)
def test_a_defect_is_logged_with_the_id_of_its_job(
    call: Callable[..., httpx.Response], caplog: pytest.LogCaptureFixture, job_id: str, logged: bool
) -> None:
    assert call("GET", f"/jobs/{job_id}").status_code == 500
    [line] = [vars(record) for record in caplog.records if record.message == "request broke"]
    assert (line.get("job_id") == job_id) is logged
    assert "a prompt" not in str(line)
    assert not [frame for frame in line["frames"] if 'File "/' in frame], "no folder of this machine"
