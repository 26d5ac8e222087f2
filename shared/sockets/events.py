"""Read API Gateway's events of a WebSocket API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]
"""An event of API Gateway's WebSocket API."""


def connection_id_of(event: Event) -> str:
    """Return the id of the connection that the event is about."""
    return str(event["requestContext"]["connectionId"])


def headers_of(event: Event) -> dict[str, str]:
    """Return the headers by their names in lower case; a header that was sent several times as one list."""
    several: Mapping[str, Sequence[str]] = event.get("multiValueHeaders") or {}
    single: Mapping[str, str] = event.get("headers") or {}
    every = {**{name: [text] for name, text in single.items()}, **several}
    return {name.lower(): ",".join(texts) for name, texts in every.items()}


def subprotocols_of(event: Event) -> list[str]:
    """Return the subprotocols that the client offers."""
    offered = headers_of(event).get("sec-websocket-protocol", "")
    return [each.strip() for each in offered.split(",") if each.strip()]


def text_of(event: Event) -> str:
    """Return the text of a message."""
    return str(event.get("body") or "")
