"""Serves an ASGI application on a loopback port, behind the web guard."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from local.web_guard import WebGuard


class GuardMiddleware:
    """Asks the guard about every request and every WebSocket before the application receives it."""

    def __init__(self, app: ASGIApp, guard: WebGuard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        def header(name: str) -> str:
            wanted = name.encode()
            return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted)

        refusal = self._guard.refusal(scope.get("method", "GET"), scope["path"], header)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            body = refusal.encode()
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    origins: Iterable[str],
    programs_only: tuple[str, ...] = (),
    keep_alive_seconds: int = 5,
    websocket_limits: tuple[int, int] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Pages of `origins` may call the application, and a link may lead to it.

    `programs_only`: prefixes of paths that no page may use. `websocket_limits`: the largest message and the largest
    frame in bytes; None serves no WebSocket.
    """
    port: int = listener.getsockname()[1]
    guard = WebGuard(port, frozenset(origins), opens=True, programs_only=programs_only)
    config = application_config(
        GuardMiddleware(app, guard), keep_alive_seconds=keep_alive_seconds, websocket_limits=websocket_limits
    )
    uvicorn.Server(config).run(sockets=[listener])


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Lets a client read why its message is refused: uvicorn closes the socket at once, and unread data resets it."""

    def handle_parser_exception(self) -> None:
        if self.close_sent:
            return  # what a failed connection still sends is discarded
        close = self.conn.close_sent
        code, reason = (1006, "") if close is None else (close.code, close.reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()  # the client closes the socket when it has read this far
        self.close_sent = True
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)


def application_config(
    app: ASGIApp, *, keep_alive_seconds: int = 5, websocket_limits: tuple[int, int] | None = None
) -> uvicorn.Config:
    """Return uvicorn's settings. WebSockets are as API Gateway has them: without compression and without own pings."""
    limits: Any = websocket_limits  # uvicorn passes it to websockets, which takes the limit of a frame as well
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=1,
        ws="none" if limits is None else WebSocketProtocol,
        ws_max_size=limits or 0,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
    )
