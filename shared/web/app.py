"""The app factory: every HTTP operation is one small FastAPI app, and all of them behave alike."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from mangum import Mangum
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import MillraceError, PayloadTooLarge, UnsupportedMediaType
from shared.telemetry import metrics
from shared.web.envelope import Exchange, Operation
from shared.web.errors import defect, install, refuse

_REQUEST_ID = re.compile(r"[\w=+/-]{1,64}", re.ASCII)
MAX_BODY_BYTES = 64 * 1024
"""More than any job's input may need; what is larger is refused before it is read as JSON."""


def create_app(operation: Operation, *, union_branches: frozenset[str] = frozenset()) -> FastAPI:
    """A FastAPI app for one operation: envelope, error answers, request ids, body limit and metrics built in."""
    app = FastAPI(title="Millrace", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    install(app, union_branches=union_branches)
    app.add_middleware(ExchangeMiddleware, operation=operation)
    return app


def lambda_handler(app: FastAPI) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """What API Gateway invokes."""

    @functools.cache
    def adapter() -> Mangum:
        return Mangum(app, lifespan="off")  # opens an event loop, which importing a function must not do

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return adapter()(event, context)

    return handler


def current_exchange(request: Request) -> Exchange:
    exchange: Exchange = request.scope["exchange"]
    return exchange


CurrentExchange = Annotated[Exchange, Depends(current_exchange)]


class ExchangeMiddleware:
    """Gives every request its Exchange, checks its body, and lets no exception out."""

    def __init__(self, app: ASGIApp, *, operation: Operation) -> None:
        self._app = app
        self._operation = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._exchange(scope)
        scope["exchange"] = exchange
        answered = False

        async def send_with_id(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                # Here and not at the end: a stream's length is not how long its caller waited for an answer.
                metrics.answered(exchange.operation, message["status"], exchange.milliseconds)
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.request_id.encode())]
            await send(message)

        try:
            body = await _checked_body(scope, receive) if scope["method"] in {"POST", "PUT", "PATCH"} else receive
            await self._app(scope, body, send_with_id)
        except Exception as error:
            if answered:
                raise
            answer: JSONResponse = (
                refuse(exchange, error) if isinstance(error, MillraceError) else defect(exchange, error)
            )
            await answer(scope, receive, send_with_id)

    def _exchange(self, scope: Scope) -> Exchange:
        headers = dict(scope["headers"])
        event: Mapping[str, Any] = scope.get("aws.event") or {}
        exchange = Exchange(self._operation)
        given = event.get("requestContext", {}).get("requestId") or _id_given_by_adapter(headers)
        exchange.request_id = given or exchange.request_id
        trace_id = headers.get(b"x-amzn-trace-id", b"").decode("latin-1") or os.environ.get("_X_AMZN_TRACE_ID")
        exchange.trace_id = trace_id[:256] if trace_id else None
        return exchange


def _id_given_by_adapter(headers: Mapping[bytes, bytes]) -> str | None:
    """The function URL's request id, the one in Lambda's own log lines: Lambda Web Adapter sends it as a header.

    It replaces one that the caller has sent; where no adapter stands in front, anybody may have written it.
    """
    try:
        request_id = json.loads(headers.get(b"x-amzn-request-context", b"null"))["requestId"]
        return request_id if _REQUEST_ID.fullmatch(request_id) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


async def _checked_body(scope: Scope, receive: Receive) -> Receive:
    """Read the body within its limit and hand it on. Raises PayloadTooLarge, UnsupportedMediaType."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise PayloadTooLarge(f"the body may have {MAX_BODY_BYTES} bytes at most")
    media_type = dict(scope["headers"]).get(b"content-type", b"").split(b";")[0].strip().lower()
    if body and media_type != b"application/json":
        raise UnsupportedMediaType("send the body as JSON, with Content-Type: application/json")

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
