"""A streaming function in plain ASGI."""

from __future__ import annotations

import os
from typing import Any


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    body = b"ok" if scope["path"] == "/healthz" else os.environ["TABLE_NAME"].encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})
