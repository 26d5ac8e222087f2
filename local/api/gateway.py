"""API Gateway's HTTP API for the local stack: routes, JWT authorizer and payload format 2.0, as the template declares.

It differs from AWS's, which sends `{"message": ...}`: here 401, 404, 413, 500 and 503 have the API's error envelope,
and a known path with another method is 405 instead of 404.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import jwt
from starlette.types import Receive, Scope, Send

from local.api.issuer import Issuer
from local.lambda_.functions import LARGEST_PAYLOAD, Outcome, new_trace_id
from local.template.intrinsics import ACCOUNT
from local.template.routes import Route
from local.template.template import Authorizer, Function, Template
from shared.errors import ErrorCode

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
LARGEST_BODY = 10 * 1024 * 1024
INTEGRATION_TIMEOUT = 30.0
_DISCARDED_AT_MOST = 64 * 1024 * 1024
_TOO_LARGE = f"the request is too large; send at most {LARGEST_BODY} bytes"

_WITHOUT_CREDENTIALS = "the request has no token; send one in the Authorization header, as Bearer"
_BAD_CREDENTIALS = "the token is not valid or has expired; get a new one"
_TEXT = re.compile(r"^(text/|application/(json|javascript|xml|x-www-form-urlencoded)|application/[^;]+\+(json|xml))")

Invoke = Callable[[Function, bytes, str], Awaitable[Outcome]]


class Refusal(Exception):
    """An error response of the gateway itself."""

    def __init__(self, status: int, code: ErrorCode, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Response:
    """A response to the client: header names in lower case, one entry for each cookie."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Pattern:
    """One path of the template as a regular expression; the path with the lowest `rank` wins, `{proxy+}` last."""

    def __init__(self, path: str) -> None:
        self.path = path
        segments = []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{") and segment.endswith("+}"):
                segments.append(f"(?P<{segment[1:-2]}>.+)")
            elif segment.startswith("{") and segment.endswith("}"):
                segments.append(f"(?P<{segment[1:-1]}>[^/]+)")
            else:
                segments.append(re.escape(segment))
        self._expression = re.compile("/" + "/".join(segments))
        self.rank = (path.count("+}"), path.count("{"))

    def match(self, path: str) -> dict[str, str] | None:
        found = self._expression.fullmatch(path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


class Gateway:
    """The ASGI application. `invoke(function, event, trace_id)` runs a function, for at most `time_limit` seconds."""

    def __init__(
        self, template: Template, issuer: Issuer, invoke: Invoke, *, time_limit: float = INTEGRATION_TIMEOUT
    ) -> None:
        self._invoke = invoke
        self._time_limit = time_limit
        self._issuer = issuer
        self._authorizer = template.authorizer
        self._functions = {function.logical_id: function for function in template.functions}
        paths: dict[str, dict[str, Route]] = {}
        for route in template.routes:
            for method in route.methods:
                paths.setdefault(route.path, {}).setdefault(method, route)
        self._paths = sorted(
            ((_Pattern(path), methods) for path, methods in paths.items()), key=lambda entry: entry[0].rank
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = str(uuid.uuid4())
        try:
            response = await self._serve(scope, receive, request_id)
        except Refusal as refusal:
            response = _refuse(refusal, request_id)
        headers = [*response.headers, ("apigw-requestid", request_id)]
        if not any(name == "content-length" for name, _ in headers):
            headers.append(("content-length", str(len(response.body))))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})

    async def _serve(self, scope: Scope, receive: Receive, request_id: str) -> Response:
        raw_path = scope["raw_path"].decode("latin-1")
        route, parameters = self._route(scope["method"], raw_path)
        headers = _joined_headers(scope)
        claims = self._authorize(headers) if route.authorized else None
        body = await _body(receive, headers)
        trace_id = headers.setdefault("x-amzn-trace-id", new_trace_id())
        event = json.dumps(
            _event(scope, route, parameters, headers=headers, claims=claims, body=body, request_id=request_id)
        ).encode()
        if len(event) > LARGEST_PAYLOAD:
            raise Refusal(413, ErrorCode.PAYLOAD_TOO_LARGE, _TOO_LARGE)
        try:
            invocation = asyncio.ensure_future(self._invoke(self._functions[route.function], event, trace_id))
            outcome = await asyncio.wait_for(asyncio.shield(invocation), self._time_limit)
        except TimeoutError as error:
            raise Refusal(503, ErrorCode.INTERNAL_ERROR, "the service did not respond in time") from error
        return _response(outcome)

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        for pattern, methods in self._paths:
            parameters = pattern.match(path)
            if parameters is None:
                continue
            if method not in methods:
                allowed = {"allow": ", ".join(sorted(methods))}
                raise Refusal(405, ErrorCode.METHOD_NOT_ALLOWED, f"the path does not support {method}", allowed)
            return methods[method], parameters
        raise Refusal(404, ErrorCode.NOT_FOUND, "the path was not found")

    def _authorize(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the token's claims as API Gateway's authorizer does, every value as text."""
        token = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not token:
            raise Refusal(
                401,
                ErrorCode.UNAUTHENTICATED,
                _WITHOUT_CREDENTIALS,
                {"www-authenticate": "Bearer"},
            )
        if self._authorizer is None:
            raise Refusal(500, ErrorCode.INTERNAL_ERROR, "the template has no authorizer")
        try:
            claims = self._verified(token, self._authorizer)
        except jwt.PyJWTError as error:
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            raise Refusal(401, ErrorCode.UNAUTHENTICATED, _BAD_CREDENTIALS, challenge) from error
        return {name: _claim(value) for name, value in claims.items()}

    def _verified(self, token: str, authorizer: Authorizer) -> dict[str, Any]:
        if jwt.get_unverified_header(token).get("kid") != self._issuer.key_id:
            raise jwt.InvalidTokenError("the key of the signature is not the issuer's")
        options: Any = {"require": ["exp", "iss"], "verify_aud": False}
        key = self._issuer.public_key
        claims: dict[str, Any] = jwt.decode(token, key, ["RS256"], options, issuer=authorizer.issuer)
        # Cognito's access tokens have `client_id` instead of `aud`, and the authorizer accepts both.
        named = claims.get("aud", claims.get("client_id"))
        audiences = {named} if isinstance(named, str) else set(named or ())
        if not audiences & set(authorizer.audiences):
            raise jwt.InvalidAudienceError("the token is for another audience")
        return claims


def _claim(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(_claim(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def _joined_headers(scope: Scope) -> dict[str, str]:
    """Return the headers with names in lower case, except `connection`, which is about this connection only."""
    pairs = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    return _joined((name, value) for name, value in pairs if name != "connection")


async def _body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """Return the whole body. Read one that is too large to its end as well, so that the client receives the refusal."""
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > _DISCARDED_AT_MOST:
        raise Refusal(413, ErrorCode.PAYLOAD_TOO_LARGE, _TOO_LARGE, {"connection": "close"})
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        size += len(message.get("body", b""))
        if size <= LARGEST_BODY:
            chunks.append(message.get("body", b""))
        more = message.get("more_body", False) and size <= _DISCARDED_AT_MOST
    if size > LARGEST_BODY:
        raise Refusal(413, ErrorCode.PAYLOAD_TOO_LARGE, _TOO_LARGE)
    return b"".join(chunks)


def _event(
    scope: Scope,
    route: Route,
    parameters: dict[str, str],
    *,
    headers: dict[str, str],
    claims: dict[str, str] | None,
    body: bytes,
    request_id: str,
) -> dict[str, Any]:
    """Return the event in payload format 2.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    query = scope["query_string"].decode("latin-1")
    _, port = scope.get("server") or ("127.0.0.1", None)
    cookies = [cookie.strip() for cookie in headers.pop("cookie", "").split(";") if cookie.strip()]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{route.method} {route.path}",
        "rawPath": scope["raw_path"].decode("latin-1"),
        "rawQueryString": query,
        "headers": {
            **headers,
            "x-forwarded-for": ",".join(filter(None, [headers.get("x-forwarded-for"), _client(scope)])),
            "x-forwarded-port": str(port or 80),
            "x-forwarded-proto": "http",
        },
        "requestContext": _request_context(scope, route, headers, request_id),
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _joined(parse_qsl(query, keep_blank_values=True))
    if parameters:
        event["pathParameters"] = parameters
    if claims is not None:
        event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    if body:
        event["body"], event["isBase64Encoded"] = _encoded(body, headers.get("content-type", "text/plain"))
    return event


def _request_context(scope: Scope, route: Route, headers: Mapping[str, str], request_id: str) -> dict[str, Any]:
    host, port = scope.get("server") or ("127.0.0.1", None)
    now = time.time()
    return {
        "accountId": ACCOUNT,
        "apiId": "local",
        "domainName": headers.get("host", f"{host}:{port}"),
        "domainPrefix": "local",
        "http": {
            "method": scope["method"],
            "path": scope["raw_path"].decode("latin-1"),
            "protocol": f"HTTP/{scope['http_version']}",
            "sourceIp": _client(scope),
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": f"{route.method} {route.path}",
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }


def _client(scope: Scope) -> str:
    address: str = (scope.get("client") or ("127.0.0.1", 0))[0]
    return address


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values by name, and the values of a repeated name joined by commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encoded(body: bytes, content_type: str) -> tuple[str, bool]:
    if _TEXT.match(content_type.lower()):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # the function receives the bytes unchanged
    return base64.b64encode(body).decode(), True


def _response(outcome: Outcome) -> Response:
    """Return a function's result as HTTP: format 2.0, or its short form, in which the whole result is the body."""
    if outcome.status == 429:
        raise Refusal(
            503,
            ErrorCode.INTERNAL_ERROR,
            "the service is busy; wait for Retry-After",
            {"retry-after": "1"},
        )
    failure = Refusal(500, ErrorCode.INTERNAL_ERROR, "the request failed")
    if outcome.status != 200 or outcome.function_error is not None:
        raise failure
    result = json.loads(outcome.payload)
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result if isinstance(result, str) else json.dumps(result)
        return Response(200, [("content-type", "application/json")], body.encode())
    try:
        headers = [(name.lower(), _claim(value)) for name, value in (result.get("headers") or {}).items()]
        headers += [("set-cookie", cookie) for cookie in result.get("cookies") or []]
        if not any(name == "content-type" for name, _ in headers):
            headers.append(("content-type", "text/plain;charset=UTF-8"))
        # The gateway computes the length of the body that it sends.
        headers = [item for item in headers if item[0] not in {"content-length", "connection", "transfer-encoding"}]
        text: str = result.get("body") or ""
        raw = base64.b64decode(text) if result.get("isBase64Encoded") else text.encode()
        return Response(int(result["statusCode"]), headers, raw)
    except (AttributeError, TypeError, ValueError) as error:
        raise failure from error


def _refuse(refusal: Refusal, request_id: str) -> Response:
    # Imported here, because the web layer takes long to import and only a refusal needs it.
    from shared.web.envelope import error_body  # noqa: PLC0415

    body = error_body(refusal.code, refusal.message, request_id=request_id)
    private = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
    headers = [("content-type", "application/json"), *private, *refusal.headers.items()]
    return Response(refusal.status, headers, json.dumps(body).encode())
