"""`@connections` of the local WebSocket API: functions send messages to open connections, look at them and close them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from local.api.websocket_gateway import LARGEST_MESSAGE, WebSocketGateway
from local.aws.iam import CONNECTION_METHODS, Access, AccessControl, access_denied, connections_arn
from local.template.websocket_api import WebSocketApi

_ACTION = "execute-api:ManageConnections"
_CONNECTION_ID = re.compile(r"[A-Za-z0-9_-]{15}=")
_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=(?P<role>[^/]+)/\d{8}/[^/]+/execute-api/aws4_request,")


class _Fault(Exception):
    """An error response: `kind` is the name of AWS's exception."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def prefix_of(api: WebSocketApi) -> str:
    """Return the prefix of the paths of the API's connections."""
    return f"/{api.stage}/@connections/"


class Connections:
    """The ASGI application at `/STAGE/@connections/ID`."""

    def __init__(self, gateway: WebSocketGateway, access: AccessControl) -> None:
        self.prefix = prefix_of(gateway.api)
        self._gateway = gateway
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = []
        try:
            status, body = await self._serve(Request(scope, receive))
        except _Fault as fault:
            status, body = fault.status, {"message": fault.message}
            headers.append((b"x-amzn-errortype", fault.kind.encode()))
        raw = b"" if body is None else json.dumps(body).encode()
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    async def _serve(self, request: Request) -> tuple[int, Mapping[str, Any] | None]:
        connection_id = unquote(request.scope["raw_path"].decode("latin-1")).removeprefix(self.prefix)
        if request.method not in CONNECTION_METHODS:
            raise _Fault(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        self._authorize(request, connection_id)
        body = await request.body()
        if _CONNECTION_ID.fullmatch(connection_id) is None:
            raise _Fault(400, "BadRequestException", f"Invalid connectionId: {connection_id}")
        if len(body) > LARGEST_MESSAGE:
            raise _Fault(413, "PayloadTooLargeException", "Payload too large")
        try:
            return await self._act(request.method, connection_id, body)
        except (KeyError, OSError, RuntimeError) as error:
            raise _Fault(410, "GoneException", "Gone") from error

    def _authorize(self, request: Request, connection_id: str) -> None:
        signature = _CREDENTIAL.match(request.headers.get("authorization", ""))
        if signature is None:
            raise _Fault(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        role = signature["role"]
        access = Access(_ACTION, connections_arn(self._gateway.api, request.method, connection_id))
        if self._access.knows(role) and self._access.first_refused(role, [access]) is not None:
            message = access_denied(role, access)
            print(f"access denied: {message}", file=sys.stderr, flush=True)
            raise _Fault(403, "AccessDeniedException", message)

    async def _act(self, method: str, connection_id: str, body: bytes) -> tuple[int, Mapping[str, Any] | None]:
        """Raises KeyError, OSError or RuntimeError if the connection is closed, or not yet open."""
        connection = self._gateway.connections[connection_id]
        if method == "POST":
            await connection.post(body.decode(errors="replace"), self._gateway.clock.now())
            return 200, None
        if method == "DELETE":
            await self._gateway.close(connection, reason="Connection Closed Normally")
            return 204, None
        return 200, {
            "connectedAt": _iso(connection.caller.connected_at),
            "identity": connection.caller.identity(),
            "lastActiveAt": _iso(connection.active_at),
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
