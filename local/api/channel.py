"""The channel of the local stack: the WebSocket gateway, its `@connections`, and the controls that tests use."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from local.api.connections import Connections, prefix_of
from local.api.gateway import Invoke
from local.api.websocket_gateway import INTEGRATION_TIMEOUT, Clock, WebSocketGateway
from local.aws.iam import AccessControl
from local.template.template import Template

CONTROL: Final = "/_millrace/channel/"


class Channel:
    """The ASGI application for connections, for `/STAGE/@connections/ID`, and for the paths below `CONTROL`:

    - `clock`, POST {"seconds"}: set the gateway's clock forward, and close the connections that are then too old.
    - `disconnects`, POST {"lost"}: whether `$disconnect` events are lost from now on.
    - `connections`: the ids of the open connections, oldest first.
    - `accesses`: what the template's roles have used of `@connections`, and what they were refused.
    """

    def __init__(self, gateway: WebSocketGateway, access: AccessControl) -> None:
        self._gateway = gateway
        self._access = access
        self._connections = Connections(gateway, access)
        self._controls: dict[str, Callable[[Request], Awaitable[Any]]] = {
            "clock": self._set_clock,
            "disconnects": self._set_disconnects,
            "connections": self._list_connections,
            "accesses": self._list_accesses,
        }

    @classmethod
    def of(cls, template: Template, invoke: Invoke, allowance: int = 1) -> Self | None:
        """Return the channel of the template, or None without a WebSocket API."""
        if template.websocket_api is None:
            return None
        gateway = WebSocketGateway(template, invoke, Clock(), time_limit=INTEGRATION_TIMEOUT * allowance)
        return cls(gateway, AccessControl.of(template))

    @staticmethod
    def programs_only(template: Template) -> tuple[str, ...]:
        """Return the prefixes of the paths that no page may use."""
        return () if template.websocket_api is None else (prefix_of(template.websocket_api),)

    def serves(self, scope: Scope) -> bool:
        path: str = scope.get("path", "")
        return scope["type"] == "websocket" or path.startswith((self._connections.prefix, CONTROL))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._gateway(scope, receive, send)
        elif scope["path"].startswith(CONTROL):
            await self._control(scope, receive, send)
        else:
            await self._connections(scope, receive, send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        control = self._controls.get(scope["path"].removeprefix(CONTROL))
        document = {} if control is None else await control(Request(scope, receive))
        body = json.dumps(document).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 404 if control is None else 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _set_clock(self, request: Request) -> dict[str, float]:
        self._gateway.clock.ahead += float((await request.json())["seconds"])
        await self._gateway.expire()
        return {"ahead": self._gateway.clock.ahead}

    async def _set_disconnects(self, request: Request) -> dict[str, bool]:
        self._gateway.loses_disconnects = bool((await request.json())["lost"])
        return {"lost": self._gateway.loses_disconnects}

    async def _list_connections(self, _request: Request) -> list[str]:
        return list(self._gateway.connections)

    async def _list_accesses(self, _request: Request) -> dict[str, list[list[str]]]:
        return self._access.as_json()
