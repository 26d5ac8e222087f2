"""Adds the CORS headers that API Gateway and function URLs add when deployed, as the template configures them."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.template.template import Cors


def response_headers(cors: Cors, origin: str | None) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response to a request from `origin`."""
    headers = _origin_headers(cors, origin)
    if headers and cors.expose_headers:
        headers.append((b"access-control-expose-headers", ",".join(cors.expose_headers).encode()))
    return headers


def preflight_headers(cors: Cors, origin: str | None) -> list[tuple[bytes, bytes]]:
    """Return the headers of the response to an OPTIONS request; none if the origin is not allowed."""
    headers = _origin_headers(cors, origin)
    if not headers:
        return []
    if cors.allow_methods:
        headers.append((b"access-control-allow-methods", ",".join(cors.allow_methods).encode()))
    if cors.allow_headers:
        headers.append((b"access-control-allow-headers", ",".join(cors.allow_headers).encode()))
    if cors.max_age is not None:
        headers.append((b"access-control-max-age", str(cors.max_age).encode()))
    return headers


def _origin_headers(cors: Cors, origin: str | None) -> list[tuple[bytes, bytes]]:
    if origin is None:
        return []
    if "*" in cors.allow_origins:
        headers = [(b"access-control-allow-origin", b"*")]
    elif origin in cors.allow_origins:
        headers = [(b"access-control-allow-origin", origin.encode()), (b"vary", b"origin")]
    else:
        return []
    if cors.allow_credentials:
        headers.append((b"access-control-allow-credentials", b"true"))
    return headers


class CorsMiddleware:
    """Wraps an ASGI app as a gateway or function URL does when deployed, and replaces the app's own CORS headers."""

    def __init__(self, app: ASGIApp, cors: Cors | None) -> None:
        self._app = app
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cors = self._cors
        if cors is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers[b"origin"].decode("latin-1") if b"origin" in headers else None
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": preflight_headers(cors, origin)})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [item for item in message["headers"] if not item[0].startswith(b"access-control-")]
                message = {**message, "headers": kept + response_headers(cors, origin)}
            await send(message)

        await self._app(scope, receive, send_with_cors)
