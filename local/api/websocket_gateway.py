"""API Gateway's WebSocket API for the local stack: the handshake, the routes of the template, and the limits.

It differs from AWS's in this: it does not throttle, and its clock can be set forward.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from starlette.types import Receive, Scope, Send

from local.api.gateway import Invoke
from local.api.websocket_events import (
    AuthorizerError,
    Caller,
    Handshake,
    authorized,
    new_id,
    result_of,
    route_of,
)
from local.lambda_.functions import Outcome
from local.template.template import Template
from local.template.websocket_api import WebSocketApi

LARGEST_FRAME: Final = 32 * 1024
LARGEST_MESSAGE: Final = 128 * 1024
IDLE_SECONDS: Final = 10 * 60
LIFE_SECONDS: Final = 2 * 60 * 60
INTEGRATION_TIMEOUT: Final = 29.0
_SWEEP_SECONDS = 1.0
_SUBPROTOCOL = "sec-websocket-protocol"
_NORMAL, _GOING_AWAY, _NOT_TEXT, _ABNORMAL, _TOO_BIG = 1000, 1001, 1003, 1006, 1009


class Refused(Exception):
    """The handshake is refused with this HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Clock:
    """The gateway's clock: the real time, plus what tests have set it forward by, in seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead


@dataclass(slots=True)
class Connection:
    """An open connection; `active_at` is when the last message was sent or received, in seconds since 1970."""

    caller: Caller
    send: Send
    active_at: float

    async def post(self, text: str, now: float) -> None:
        """Send a message to the client. Raises OSError if the connection is closed."""
        self.active_at = now
        await self.send({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Start the closing handshake. Raises OSError or RuntimeError if the connection is closed."""
        await self.send({"type": "websocket.close", "code": code, "reason": reason})


class _End(NamedTuple):
    code: int
    reason: str


class WebSocketGateway:
    """The ASGI application for connections; `invoke(function, event, trace_id)` runs a function.

    `connections` has the open ones by id. `loses_disconnects`: whether the `$disconnect` event of a connection that
    ends is lost, as it may be on AWS. `time_limit`: of an integration, in seconds.
    """

    def __init__(
        self, template: Template, invoke: Invoke, clock: Clock, *, time_limit: float = INTEGRATION_TIMEOUT
    ) -> None:
        api = template.websocket_api
        if api is None:
            raise ValueError("the template has no WebSocket API")
        self.api: WebSocketApi = api
        self.clock = clock
        self.connections: dict[str, Connection] = {}
        self.loses_disconnects = False
        self._invoke_function = invoke
        self._time_limit = time_limit
        self._functions = {function.logical_id: function for function in template.functions}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sweeps = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the request for a connection
        handshake = Handshake.of(scope)
        caller = Caller(self.api, handshake, self.clock.now())
        try:
            await self._authorize(caller, scope["path"])
            headers = await self._connect(caller)
        except Refused as refused:
            await _refuse(send, refused)
            return
        await self._serve(Connection(caller, send, self.clock.now()), receive, headers)

    async def expire(self) -> None:
        """Close the connections that have been idle for ten minutes or have lasted two hours."""
        now = self.clock.now()
        for connection in list(self.connections.values()):
            idle, lasted = now - connection.active_at, now - connection.caller.connected_at
            if idle >= IDLE_SECONDS or lasted >= LIFE_SECONDS:
                await self.close(connection, _GOING_AWAY, "Going away")

    async def close(self, connection: Connection, code: int = _NORMAL, reason: str = "") -> None:
        """Close the connection. The `$disconnect` event follows."""
        self.connections.pop(connection.caller.connection_id, None)
        with contextlib.suppress(OSError, RuntimeError):  # it may be closed already
            await connection.close(code, reason)

    # ---- the handshake -------------------------------------------------------------------------------------------

    async def _authorize(self, caller: Caller, path: str) -> None:
        if path != f"/{self.api.stage}":
            raise Refused(403, "Forbidden")
        authorizer = self.api.authorizer
        if authorizer is None:
            return
        if caller.handshake.lacks(authorizer.identity_sources):
            raise Refused(401, "Unauthorized")
        outcome = await self._invoke(authorizer.function, caller.authorization(self.clock.now()), caller)
        try:
            allowed, context = authorized(outcome, caller.method_arn)
        except PermissionError as error:
            raise Refused(401, "Unauthorized") from error
        except AuthorizerError as error:
            raise Refused(500, "Internal server error") from error
        if not allowed:
            raise Refused(403, "User is not authorized to access this resource with an explicit deny")
        caller.authorizer = context

    async def _connect(self, caller: Caller) -> Mapping[str, str]:
        """Run `$connect`, and return the headers of its response with names in lower case."""
        function = self.api.routes.get("$connect")
        if function is None:
            return {}
        outcome = await self._invoke(function, caller.connect(self.clock.now()), caller)
        result = result_of(outcome)
        if not isinstance(result, dict) or not isinstance(result.get("statusCode"), int):
            raise Refused(502, "Internal server error")
        status: int = result["statusCode"]
        if not 200 <= status < 300:
            raise Refused(status, "the connection was refused")
        return {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}

    # ---- an open connection --------------------------------------------------------------------------------------

    async def _serve(self, connection: Connection, receive: Receive, headers: Mapping[str, str]) -> None:
        caller = connection.caller
        end = _End(_ABNORMAL, "")
        try:
            await connection.send({"type": "websocket.accept", "subprotocol": headers.get(_SUBPROTOCOL)})
            self.connections[caller.connection_id] = connection
            self._start_sweeping()
            end = await self._receive(connection, receive)
        except OSError:
            pass  # the client has disconnected
        finally:
            self.connections.pop(caller.connection_id, None)
            self._disconnect(caller, end)

    async def _receive(self, connection: Connection, receive: Receive) -> _End:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                # Without a reason the TCP connection ended, and not the WebSocket.
                return _End(message["code"] if "reason" in message else _ABNORMAL, message.get("reason") or "")
            text = message.get("text")
            if text is None:
                await self.close(connection, _NOT_TEXT, "Unsupported data")
                continue
            connection.active_at = self.clock.now()
            # As on AWS, messages of one connection run at the same time.
            self._start(self._pass_on(connection, text))

    async def _pass_on(self, connection: Connection, text: str) -> None:
        """Invoke the message's route. What the function returns is not sent, because the routes are one-way."""
        caller = connection.caller
        route = route_of(self.api, text)
        if route is None:
            await self._report(connection, "Forbidden")
            return
        outcome = await self._invoke(self.api.routes[route], caller.message(route, text, self.clock.now()), caller)
        if outcome.status != 200 or outcome.function_error is not None:
            await self._report(connection, "Internal server error")

    async def _report(self, connection: Connection, message: str) -> None:
        about = {"message": message, "connectionId": connection.caller.connection_id, "requestId": new_id()}
        with contextlib.suppress(OSError, RuntimeError):  # the client may have disconnected
            await connection.post(json.dumps(about), self.clock.now())

    def _disconnect(self, caller: Caller, end: _End) -> None:
        """Send the `$disconnect` event without waiting for its function."""
        function = self.api.routes.get("$disconnect")
        if function is not None and not self.loses_disconnects:
            self._start(self._invoke(function, caller.disconnect(*end, self.clock.now()), caller))

    # ---- internals -----------------------------------------------------------------------------------------------

    async def _invoke(self, function: str, event: Mapping[str, Any], caller: Caller) -> Outcome:
        payload = json.dumps(event).encode()
        running = asyncio.ensure_future(
            self._invoke_function(self._functions[function], payload, caller.handshake.trace_id)
        )
        try:
            return await asyncio.wait_for(asyncio.shield(running), self._time_limit)
        except TimeoutError:
            return Outcome(504, b"{}", "")

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # asyncio itself has only a weak reference to it
        task.add_done_callback(self._tasks.discard)

    def _start_sweeping(self) -> None:
        if not self._sweeps:
            self._sweeps = True
            self._start(self._sweep())

    async def _sweep(self) -> None:
        while self.connections:
            await asyncio.sleep(_SWEEP_SECONDS)
            await self.expire()
        self._sweeps = False


async def _refuse(send: Send, refused: Refused) -> None:
    body = json.dumps({"message": refused.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
