"""Serves an ASGI application on a loopback port, behind the web guard."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

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
) -> None:
    """Serve until SIGINT or SIGTERM. Pages of `origins` may call the application, and a link may lead to it.

    `programs_only`: prefixes of paths that no page may use.
    """
    port: int = listener.getsockname()[1]
    guard = WebGuard(port, frozenset(origins), opens=True, programs_only=programs_only)
    config = uvicorn.Config(
        GuardMiddleware(app, guard),
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])
