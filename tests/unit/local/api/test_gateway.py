"""The local API Gateway, configured from the template."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from local.api.cors import CorsMiddleware
from local.api.gateway import Gateway
from local.api.issuer import Issuer
from local.lambda_.functions import Outcome
from local.template.template import Function, Template

SMALL = Path(__file__).resolve().parents[4] / "tests/local/stack/template.yaml"
ISSUER = Issuer("http://issuer", "audience")
TEMPLATE = Template(
    SMALL,
    parameters={"OidcIssuer": ISSUER.url, "OidcAudience": ISSUER.audience},
    attributes={"WatchFunctionUrl.FunctionUrl": "http://stream"},
)


def ok(result: Any) -> Outcome:
    return Outcome(200, json.dumps(result).encode(), "request")


class Client:
    """Sends requests to a gateway whose function returns `outcome`, and records the function's events."""

    def __init__(self) -> None:
        self.outcome = ok({"statusCode": 200, "body": "done"})
        self.events: list[Any] = []

    def __call__(self, method: str, path: str, *, token: str | None = "", **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})
        if token is not None:
            headers = {"authorization": f"Bearer {token or ISSUER.token('alice')}", **headers}

        async def invoke(_function: Function, event: bytes, _trace_id: str) -> Outcome:
            self.events.append(json.loads(event))
            return self.outcome

        async def send() -> httpx.Response:
            app: Any = CorsMiddleware(Gateway(TEMPLATE, ISSUER, invoke), TEMPLATE.cors)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api.local") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())

    @property
    def event(self) -> dict[str, Any]:
        (event,) = self.events
        return dict(event)


@pytest.fixture
def call() -> Client:
    return Client()


def test_a_request_becomes_an_event_in_payload_format_2_0(call: Client) -> None:
    call(
        "POST",
        "/echo?a=1&a=2&b=x%20y",
        content=b'{"x": 1}',
        headers={"content-type": "application/json", "cookie": "k=v; l=w", "User-Agent": "test"},
    )
    event = call.event
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "POST /echo", "/echo")
    assert event["rawQueryString"] == "a=1&a=2&b=x%20y"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y"}
    assert event["cookies"] == ["k=v", "l=w"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["content-type"] == "application/json"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert (event["body"], event["isBase64Encoded"]) == ('{"x": 1}', False)
    context = event["requestContext"]
    assert context["http"]["method"] == "POST"
    assert context["http"]["userAgent"] == "test"
    assert context["stage"] == "$default"
    assert context["timeEpoch"] > 0
    claims = context["authorizer"]["jwt"]["claims"]
    assert claims["sub"] == "alice"
    assert isinstance(claims["exp"], str)


def test_the_gateway_passes_on_an_existing_trace_id(call: Client) -> None:
    call("POST", "/echo", headers={"X-Amzn-Trace-Id": "Root=1-2-3"})
    assert call.event["headers"]["x-amzn-trace-id"] == "Root=1-2-3"


def test_a_binary_body_is_base64_in_the_event(call: Client) -> None:
    call("POST", "/echo", content=b"\x00\xff", headers={"content-type": "application/octet-stream"})
    assert (call.event["body"], call.event["isBase64Encoded"]) == ("AP8=", True)


def test_path_parameters_are_decoded_and_a_literal_path_takes_precedence(call: Client) -> None:
    call("GET", "/things/a%2Fb")
    call("GET", "/things/latest")
    parametrised, literal = call.events
    assert parametrised["pathParameters"] == {"thingId": "a/b"}
    assert (literal["routeKey"], "pathParameters" in literal) == ("GET /things/latest", False)


@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        ({"statusCode": 201, "headers": {"Content-Type": "text/x"}, "body": "a"}, 201, "text/x", b"a"),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "AAEC"}, 200, "text/plain;charset=UTF-8", b"\0\1\2"),
        ({"plain": True}, 200, "application/json", b'{"plain": true}'),
        ("text", 200, "application/json", b"text"),
    ],
)
def test_a_functions_result_becomes_an_http_response(
    call: Client, result: Any, status: int, content_type: str, body: bytes
) -> None:
    call.outcome = ok(result)
    response = call("POST", "/echo")
    assert (response.status_code, response.headers["content-type"], response.content) == (status, content_type, body)


def test_every_cookie_has_its_own_header(call: Client) -> None:
    call.outcome = ok({"statusCode": 200, "cookies": ["a=1", "b=2"]})
    assert call("POST", "/echo").headers.get_list("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome(200, b'{"errorType": "X"}', "r", function_error="Unhandled"), 500),
        (ok({"statusCode": "not a number"}), 500),
        (Outcome(429, b"{}", "r", error_type="TooManyRequestsException"), 503),
    ],
)
def test_a_functions_failure_becomes_an_error_envelope(call: Client, outcome: Outcome, status: int) -> None:
    call.outcome = outcome
    response = call("POST", "/echo")
    assert (response.status_code, code_of(response)) == (status, "INTERNAL_ERROR")


@pytest.mark.parametrize(
    "make",
    [
        lambda: "not a token",
        lambda: ISSUER.token("alice", expires_in=-10),
        lambda: ISSUER.token("alice", claims={"exp": None}),
        lambda: ISSUER.token("alice", claims={"aud": "another"}),
        lambda: ISSUER.token("alice", claims={"aud": None}),
        lambda: ISSUER.token("alice", claims={"iss": "http://elsewhere"}),
        lambda: ISSUER.token("alice", claims={"nbf": 4102444800}),
        lambda: Issuer(ISSUER.url, ISSUER.audience).token("alice"),
    ],
    ids=["garbage", "expired", "without exp", "foreign", "without aud", "other issuer", "not yet", "other key"],
)
def test_an_invalid_token_is_401_with_a_www_authenticate_header(call: Client, make: Callable[[], str]) -> None:
    response = call("POST", "/echo", token=make())
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert not call.events


def test_a_missing_token_is_401_except_on_an_open_route(call: Client) -> None:
    response = call("POST", "/echo", token=None)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert call("GET", "/open", token=None).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/echo/", "/things/", "/things/a/b"])
def test_an_unknown_path_is_404(call: Client, path: str) -> None:
    response = call("GET", path)
    assert (response.status_code, code_of(response)) == (404, "NOT_FOUND")


def test_another_method_of_a_known_path_is_405_with_the_allowed_ones(call: Client) -> None:
    response = call("DELETE", "/echo")
    assert (response.status_code, code_of(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("size", [10 * 1024 * 1024 + 1, 6 * 1024 * 1024])
def test_a_body_over_the_gateways_or_lambdas_limit_is_413(call: Client, size: int) -> None:
    response = call("POST", "/echo", content=b"x" * size, headers={"content-type": "text/plain"})
    assert (response.status_code, code_of(response)) == (413, "PAYLOAD_TOO_LARGE")


def test_a_preflight_response_comes_from_the_template(call: Client) -> None:
    wanted = {"origin": "https://app.example", "access-control-request-method": "POST"}
    response = call("OPTIONS", "/echo", headers=wanted, token=None)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert response.headers["access-control-allow-methods"] == "GET,POST"
    assert response.headers["access-control-allow-headers"] == "authorization,content-type"
    assert response.headers["access-control-max-age"] == "600"


def test_only_allowed_origins_get_the_cors_headers(call: Client) -> None:
    call.outcome = ok({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}})
    allowed = call("POST", "/echo", headers={"origin": "https://app.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert allowed.headers["access-control-expose-headers"] == "location"
    other = call("POST", "/echo", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def code_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


def test_a_function_that_exceeds_the_gateways_time_limit_is_503() -> None:
    async def hang(_function: Function, _event: bytes, _trace_id: str) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(cast("Any", Gateway(TEMPLATE, ISSUER, hang, time_limit=0.01)))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.local") as client:
            return await client.post("/echo", headers={"authorization": f"Bearer {ISSUER.token('alice')}"})

    response = asyncio.run(send())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "INTERNAL_ERROR")
