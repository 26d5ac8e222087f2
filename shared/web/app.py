"""Create the FastAPI app of each HTTP operation, so that all operations treat requests and errors in the same way."""

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
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import (
    DataBeingErased,
    FieldIssue,
    InvalidInput,
    MillraceError,
    PayloadTooLarge,
    RateLimitExceeded,
    UnsupportedMediaType,
)
from shared.observability import error_reports, metering, tracing
from shared.observability.log import log
from shared.observability.metering import Meter
from shared.observability.metrics import metrics
from shared.observability.tracing import Span, TraceHeader
from shared.runtime import at_end, snapstart, startup
from shared.web.auth import CountWrite
from shared.web.envelope import Exchange
from shared.web.errors import defect, install, refusals, refuse
from shared.web.urls import with_safe_headers

if TYPE_CHECKING:
    from mangum import Mangum

_REQUEST_ID = re.compile(r"[\w=+/-]{1,64}", re.ASCII)
_ID = re.compile(r"[a-z]{2,8}_[0-9a-z_]{1,40}")
_PRIVATE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
MAX_BODY_BYTES = 64 * 1024
"""The largest request body. No job's input needs more; a larger body is refused before it is parsed."""


def create_app(
    operation: str,
    *,
    count_write: CountWrite | None = None,
    any_query: bool = False,
    union_branches: frozenset[str] = frozenset(),
) -> FastAPI:
    """Create the app of one operation, with the envelope, error responses, request ids, body limit and metrics.

    `count_write` counts a user's write and refuses one above the limit: every operation that writes has to name it, or
    COUNTED_BY_SERVICE. With `any_query` the operation ignores query parameters that it does not know, instead of
    refusing them. `union_branches` are the tags that `install` leaves out of field paths.

    Behind API Gateway, write endpoints as coroutines that block. A process serves one request at a time there, and to
    start a worker thread would cost its first request 20 ms of CPU. The stream's process serves many requests at once,
    so its endpoint must not block.
    """
    app = FastAPI(
        title="Millrace",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ExchangeMiddleware does all three
        responses=refusals(RateLimitExceeded, DataBeingErased) if count_write is not None else None,
        dependencies=None if any_query else [Depends(known_query_only)],
    )
    app.state.count_write = count_write
    install(app, union_branches=union_branches)
    app.add_middleware(ExchangeMiddleware, operation=operation)
    return app


def lambda_handler(app: FastAPI, ready: Callable[[], object]) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the handler that Lambda calls for API Gateway's requests.

    `ready` creates the services that requests need. With SnapStart, it runs before Lambda takes the SnapStart snapshot.
    """

    @functools.cache
    def adapter() -> Mangum:
        from mangum import Mangum  # noqa: PLC0415 - the stream does not use it

        return Mangum(app, lifespan="off")  # it opens an event loop, and importing a function must not open one

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return adapter()(with_safe_headers(event), context)
        finally:
            at_end.run()
            startup.finish()

    def prepare() -> None:
        ready()
        with contextlib.redirect_stdout(io.StringIO()):  # no client sent this request, so drop its metrics and logs
            handler(_warm_up_event(app), None)

    snapstart.install(prepare)
    return handler


def _warm_up_event(app: FastAPI) -> dict[str, Any]:
    """Return a request without a user for the app's first route.

    The app refuses it, and in doing so loads the code that every request needs.
    """
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


async def known_query_only(request: Request) -> None:
    """Raise InvalidInput for query parameters that the operation does not know: a filter with a misspelt name."""
    if not request.query_params:
        return
    known = _query_of(request.scope["route"])
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        remedy = f"correct its name (known: {', '.join(sorted(known))}) or remove it" if known else "remove it"
        rule = f"is not a query parameter of this operation; {remedy}"
        raise InvalidInput([FieldIssue(name[:64], rule) for name in unknown[:10]])


def _query_of(route: APIRoute) -> frozenset[str]:
    """Return the names of the route's query parameters, as clients write them."""
    fields = get_flat_params(route.dependant)
    return frozenset(field.alias for field in fields if isinstance(field.field_info, Query))


async def current_exchange(request: Request) -> Exchange:
    """Return the exchange that ExchangeMiddleware created for this request."""
    exchange: Exchange = request.scope["exchange"]
    return exchange


CurrentExchange = Annotated[Exchange, Depends(current_exchange)]


class ResponseInterrupted(Exception):
    """An error that occurred after the response had started. The log holds the original error."""


class ExchangeMiddleware:
    """Create the Exchange and the span of every request, check its body, and turn exceptions into error responses."""

    def __init__(self, app: ASGIApp, *, operation: str) -> None:
        self._app = app
        self._operation = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        trace = tracing.header_of_invocation(headers.get(b"x-amzn-trace-id", b"").decode("latin-1"))
        exchange = self._exchange(scope, headers, trace)
        scope["exchange"] = exchange
        named = log.about(function=self._operation, **exchange.ids)
        meter = Meter(megabytes=metering.megabytes_of_function(scope.get("aws.context")))
        spanned = tracing.span(self._operation, at=trace, request_id=exchange.request_id)
        with named, metering.metered(meter), spanned as span:
            try:
                await self._respond(exchange, span, scope, receive, send)
            finally:
                if error_reports.pending():
                    await asyncio.to_thread(error_reports.flush)

    async def _respond(self, exchange: Exchange, span: Span, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                # Measure up to the start of the response, because a stream's client waits for its first byte only.
                metrics.answered(exchange.operation, message["status"], exchange.milliseconds)
                span.responded(message["status"])
                message["headers"] = _private([*message["headers"], (b"x-request-id", exchange.request_id.encode())])
            await send(message)

        try:
            body = await _checked_body(scope, receive) if scope["method"] in {"POST", "PUT", "PATCH"} else receive
            await self._app(scope, body, send_with_id)
        except Exception as error:  # noqa: BLE001 - no exception's text may reach the client
            if started:
                log.defect("response interrupted", error, operation=exchange.operation, **_ids_in_path(scope))
                span.failed(error)
                # The server logs what is raised here, and the text of the original error may quote a prompt.
                raise ResponseInterrupted from None
            response: JSONResponse = (
                refuse(exchange, error)
                if isinstance(error, MillraceError)
                else defect(exchange, error, **_ids_in_path(scope))
            )
            await response(scope, receive, send_with_id)

    def _exchange(self, scope: Scope, headers: Mapping[bytes, bytes], trace: TraceHeader) -> Exchange:
        event: Mapping[str, Any] = scope.get("aws.event") or {}
        exchange = Exchange(self._operation, trace_id=trace.trace_id)
        given = event.get("requestContext", {}).get("requestId") or _request_id_from_adapter(headers)
        exchange.request_id = given or exchange.request_id
        return exchange


def _ids_in_path(scope: Scope) -> dict[str, str]:
    """Return the ids in the request's path of what log lines name, such as a job; no other text of the path."""
    named = {"jobId": "job_id", "runId": "run_id", "agentId": "agent_id", "webhookId": "webhook_id"}
    found = {named[name]: value for name, value in scope.get("path_params", {}).items() if name in named}
    return {name: value for name, value in found.items() if _ID.fullmatch(value)}


def _request_id_from_adapter(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the function URL's request id, which Lambda writes in its own log lines too; None if there is none.

    Lambda Web Adapter sends it in a header, and overwrites a header of that name that a client sent. Without the
    adapter the header is the client's, so it is checked before it is used.
    """
    try:
        request_id = json.loads(headers.get(b"x-amzn-request-context", b"null"))["requestId"]
        return request_id if _REQUEST_ID.fullmatch(request_id) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _private(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers with those that keep a response out of caches and its type as it is.

    Only a response that everybody may read names its own `Cache-Control`: the files of the console.
    """
    named = {name.lower() for name, _ in headers}
    return [*headers, *(item for item in _PRIVATE if item[0] not in named)]


async def _checked_body(scope: Scope, receive: Receive) -> Receive:
    """Read the body up to its limit, and return a `receive` that replays it.

    Raises:
        PayloadTooLarge: the body has more than MAX_BODY_BYTES.
        UnsupportedMediaType: the body is not sent as JSON.
    """
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise PayloadTooLarge(f"the body is too large; send at most {MAX_BODY_BYTES} bytes")
    media_type = dict(scope["headers"]).get(b"content-type", b"").split(b";")[0].strip().lower()
    if body and media_type != b"application/json":
        raise UnsupportedMediaType("the body is not sent as JSON; send it with Content-Type: application/json")

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
