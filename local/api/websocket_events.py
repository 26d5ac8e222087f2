"""Builds the events that API Gateway's WebSocket API sends to functions, and reads what they return.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Scope

from local.aws.iam import matches
from local.lambda_.functions import Outcome, new_trace_id
from local.template.intrinsics import ACCOUNT, REGION
from local.template.websocket_api import WebSocketApi

_INVOKE = "execute-api:Invoke"
# They are about the connection to the gateway only.
_OF_ONE_HOP = frozenset({"connection", "upgrade"})
_HEADER_SOURCE = "route.request.header."
_QUERY_SOURCE = "route.request.querystring."


class AuthorizerError(Exception):
    """The authorizer failed, or returned something other than a policy."""


def new_id() -> str:
    """Return an id in the form of API Gateway's connection, message and request ids, such as `L0SM9cOFvHcCIhw=`."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes[:11]).decode()


@dataclass(frozen=True, slots=True)
class Handshake:
    """A client's request for a connection. Header names are as browsers write them; AWS keeps each client's case."""

    headers: list[tuple[str, str]]
    query: list[tuple[str, str]]
    source_ip: str
    host: str
    trace_id: str

    @classmethod
    def of(cls, scope: Scope) -> Handshake:
        pairs = [(_as_sent(name.decode("latin-1")), value.decode("latin-1")) for name, value in scope["headers"]]
        given = {name.lower(): value for name, value in pairs}
        address, _ = scope.get("client") or ("127.0.0.1", 0)
        port = (scope.get("server") or ("", 80))[1]
        trace_id = given.get("x-amzn-trace-id") or new_trace_id()
        forwarded = {
            "X-Amzn-Trace-Id": trace_id,
            "X-Forwarded-For": ", ".join(filter(None, [given.get("x-forwarded-for"), address])),
            "X-Forwarded-Port": str(port),
            "X-Forwarded-Proto": "http",
        }
        replaced = {*_OF_ONE_HOP, *(name.lower() for name in forwarded)}
        headers = [(name, value) for name, value in pairs if name.lower() not in replaced]
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return cls([*headers, *forwarded.items()], query, address, given.get("host", ""), trace_id)

    def lacks(self, identity_sources: Iterable[str]) -> bool:
        """Tell whether the value of one of these sources is missing or empty."""
        headers = {name.lower() for name, value in self.headers if value}
        query = {name for name, value in self.query if value}
        return any(
            source.removeprefix(_HEADER_SOURCE).lower() not in headers
            if source.startswith(_HEADER_SOURCE)
            else source.removeprefix(_QUERY_SOURCE) not in query
            for source in identity_sources
        )

    def user_agent(self) -> str | None:
        return next((value for name, value in self.headers if name.lower() == "user-agent"), None)

    def fields(self) -> dict[str, Any]:
        """Return the fields of the `$connect` event that the request gives; repeated names have their last value."""
        fields: dict[str, Any] = {"headers": dict(self.headers), "multiValueHeaders": _lists(self.headers)}
        if self.query:
            fields["queryStringParameters"] = dict(self.query)
            fields["multiValueQueryStringParameters"] = _lists(self.query)
        return fields


def _as_sent(name: str) -> str:
    """Return the name as clients write it: the web server here has put it into lower case."""
    return name.title().replace("Websocket", "WebSocket")


def _lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


@dataclass(slots=True)
class Caller:
    """What every event of a connection says of it; times in seconds since 1970, `authorizer` with texts only."""

    api: WebSocketApi
    handshake: Handshake
    connected_at: float
    connection_id: str = field(default_factory=new_id)
    authorizer: dict[str, str] | None = None

    @property
    def method_arn(self) -> str:
        return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.api.api_id}/{self.api.stage}/$connect"

    def authorization(self, now: float) -> dict[str, Any]:
        """Return the event of the authorizer."""
        context = self._context("$connect", "CONNECT", now)
        fields = self.handshake.fields()
        fields.setdefault("queryStringParameters", {})
        fields.setdefault("multiValueQueryStringParameters", {})
        fixed = {"type": "REQUEST", "methodArn": self.method_arn, "stageVariables": {}}
        return {**fixed, **fields, "requestContext": context}

    def connect(self, now: float) -> dict[str, Any]:
        context = self._context("$connect", "CONNECT", now)
        return {**self.handshake.fields(), "requestContext": context, "isBase64Encoded": False}

    def message(self, route: str, text: str, now: float) -> dict[str, Any]:
        context = {**self._context(route, "MESSAGE", now), "messageId": new_id()}
        return {"requestContext": context, "body": text, "isBase64Encoded": False}

    def disconnect(self, code: int, reason: str, now: float) -> dict[str, Any]:
        ended = {"disconnectStatusCode": code, "disconnectReason": reason}
        headers = [
            ("Host", self.handshake.host),
            ("x-api-key", ""),
            ("X-Forwarded-For", self.handshake.source_ip),
            ("x-restapi", ""),
        ]
        context = {**self._context("$disconnect", "DISCONNECT", now), **ended}
        lists = {"headers": dict(headers), "multiValueHeaders": _lists(headers)}
        return {**lists, "requestContext": context, "isBase64Encoded": False}

    def _context(self, route: str, event_type: str, now: float) -> dict[str, Any]:
        request_id = new_id()
        context: dict[str, Any] = {
            "routeKey": route,
            "eventType": event_type,
            "extendedRequestId": request_id,
            "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "messageDirection": "IN",
            "stage": self.api.stage,
            "connectedAt": int(self.connected_at * 1000),
            "requestTimeEpoch": int(now * 1000),
            "identity": self.identity(),
            "requestId": request_id,
            "domainName": self.handshake.host,
            "connectionId": self.connection_id,
            "apiId": self.api.api_id,
        }
        if self.authorizer is not None:
            context["authorizer"] = self.authorizer
        return context

    def identity(self) -> dict[str, str]:
        agent = self.handshake.user_agent()
        return {**({} if agent is None else {"userAgent": agent}), "sourceIp": self.handshake.source_ip}


def route_of(api: WebSocketApi, text: str) -> str | None:
    """Return the key of the message's route, `$default` if no other fits, or None if the API has no such route."""
    try:
        value = json.loads(text)
        for name in api.selection:
            value = value[name]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        value = None
    if isinstance(value, str) and not value.startswith("$") and value in api.routes:
        return value
    return "$default" if "$default" in api.routes else None


def authorized(outcome: Outcome, method_arn: str) -> tuple[bool, dict[str, str]]:
    """Return whether the authorizer's policy allows the connection, and its context for later events.

    Raises:
        PermissionError: the authorizer raised "Unauthorized", which is how it asks for the status 401.
        AuthorizerError: it failed in another way.
    """
    result = result_of(outcome)
    if not isinstance(result, dict):
        error = json.loads(outcome.payload) if outcome.function_error else {}
        if error.get("errorMessage") == "Unauthorized":
            raise PermissionError("Unauthorized")
        raise AuthorizerError("the authorizer failed")
    try:
        statements = result["policyDocument"]["Statement"]
        effects = {each["Effect"] for each in statements if _covers(each, method_arn)}
        context = {"principalId": str(result["principalId"])}
        for name, value in (result.get("context") or {}).items():
            context[name] = _as_text(value)
    except (KeyError, TypeError) as error:
        raise AuthorizerError("the authorizer did not return a policy") from error
    return effects == {"Allow"}, context


def _covers(statement: Mapping[str, Any], arn: str) -> bool:
    actions, resources = statement["Action"], statement["Resource"]
    return any(matches(each, _INVOKE) for each in _as_list(actions)) and any(
        matches(each, arn) for each in _as_list(resources)
    )


def _as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError("a value of an authorizer's context is a text, a number or a boolean")


def result_of(outcome: Outcome) -> Any:
    """Return what the function returned, or None if it failed or did not run."""
    if outcome.status != 200 or outcome.function_error is not None:
        return None
    return json.loads(outcome.payload)
