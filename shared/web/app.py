"""The app factory: every HTTP operation is one small FastAPI app, and all of them behave alike."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import MillraceError, PayloadTooLarge, UnsupportedMediaType
from shared.observability import error_reports, tracing
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.observability.tracing import Span, TraceHeader
from shared.runtime import snapstart, startup
from shared.web.envelope import Exchange
from shared.web.errors import defect, install, refuse

if TYPE_CHECKING:
    from mangum import Mangum

_REQUEST_ID = re.compile(r"[\w=+/-]{1,64}", re.ASCII)
MAX_BODY_BYTES = 64 * 1024
"""More than any job's input may need; what is larger is refused before it is read as JSON."""


def create_app(operation: str, *, union_branches: frozenset[str] = frozenset()) -> FastAPI:
    """A FastAPI app for one operation: envelope, error answers, request ids, body limit and metrics built in.

    Behind API Gateway its endpoints are coroutines that block: a process has one request at a time there, and a worker
    thread would cost the first of them 20 ms of CPU. The stream's, which has many, must not.
    """
    app = FastAPI(
        title="Millrace",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # what is told of a request is told below
    )
    install(app, union_branches=union_branches)
    app.add_middleware(ExchangeMiddleware, operation=operation)
    return app


def lambda_handler(app: FastAPI, ready: Callable[[], object]) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """What API Gateway invokes. `ready` makes what the requests need; a snapshot is taken after it."""

    @functools.cache
    def adapter() -> Mangum:
        from mangum import Mangum  # noqa: PLC0415 - the stream needs none

        return Mangum(app, lifespan="off")  # opens an event loop, which importing a function must not do

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return adapter()(event, context)
        finally:
            startup.over()

    def prepare() -> None:
        ready()
        with contextlib.redirect_stdout(io.StringIO()):  # nobody's request: not to be counted in the metrics
            handler(_warm_up_event(app), None)

    snapstart.install(prepare)
    return handler


def _warm_up_event(app: FastAPI) -> dict[str, Any]:
    """An event without a user for the app's first route: on its way to a refusal it loads what every request needs."""
    route = next(each for each in app.routes if isinstance(each, APIRoute))
    [method] = route.methods or {"GET"}
    return {
        "version": "2.0",
        "routeKey": f"{method} {route.path}",
        "rawPath": route.path,
        "rawQueryString": "",
        "headers": {"host": "localhost"},
        "requestContext": {"http": {"method": method, "path": route.path, "sourceIp": "127.0.0.1"}},
        "isBase64Encoded": False,
    }


async def current_exchange(request: Request) -> Exchange:
    exchange: Exchange = request.scope["exchange"]
    return exchange


CurrentExchange = Annotated[Exchange, Depends(current_exchange)]


class AnswerBroken(Exception):
    """A defect after the answer had begun; the log says which."""


class ExchangeMiddleware:
    """Gives every request its Exchange and its span, checks its body, and lets no exception out."""

    def __init__(self, app: ASGIApp, *, operation: str) -> None:
        self._app = app
        self._operation = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        place = tracing.of_invocation(headers.get(b"x-amzn-trace-id", b"").decode("latin-1"))
        exchange = self._exchange(scope, headers, place)
        scope["exchange"] = exchange
        with log.about(**exchange.ids), tracing.span(self._operation, at=place, request_id=exchange.request_id) as span:
            try:
                await self._answer(exchange, span, scope, receive, send)
            finally:
                if error_reports.pending():
                    await asyncio.to_thread(error_reports.flush)

    async def _answer(self, exchange: Exchange, span: Span, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def send_with_id(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                # Here and not at the end: a stream's length is not how long its caller waited for an answer.
                metrics.answered(exchange.operation, message["status"], exchange.milliseconds)
                span.answered(message["status"])
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.request_id.encode())]
            await send(message)

        try:
            body = await _checked_body(scope, receive) if scope["method"] in {"POST", "PUT", "PATCH"} else receive
            await self._app(scope, body, send_with_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text is for nobody
            if answered:
                log.defect("answer broke off", error, operation=exchange.operation)
                span.failed(error)
                # In place of an error whose text, which the server logs, may quote a prompt.
                raise AnswerBroken from None
            answer: JSONResponse = (
                refuse(exchange, error) if isinstance(error, MillraceError) else defect(exchange, error)
            )
            await answer(scope, receive, send_with_id)

    def _exchange(self, scope: Scope, headers: Mapping[bytes, bytes], place: TraceHeader) -> Exchange:
        event: Mapping[str, Any] = scope.get("aws.event") or {}
        exchange = Exchange(self._operation, trace_id=place.trace_id)
        given = event.get("requestContext", {}).get("requestId") or _id_given_by_adapter(headers)
        exchange.request_id = given or exchange.request_id
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
