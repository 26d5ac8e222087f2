"""Follow a job over the channel, as a program would that sends its token in a header: docs/channel.md."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import websockets
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from local.api.client import ClientError, Received, Reconnection, Unreadable
from local.loopback import is_loopback
from shared.channel.messages import SUBPROTOCOL
from shared.log.events import TERMINAL, Snapshot, parse_stream_event

GAP_SECONDS: Final = 0.3
"""How long an event may be missing before the topic is subscribed to again: two messages may overtake each other."""

PING_SECONDS: Final = 10.0
"""Seconds without a message after which the client sends a ping, and after which it expects the pong."""


class NotFollowed(ClientError):
    """The channel refuses the handshake or the subscription."""


class _Lost(Exception):
    """A connection failed; the next one may succeed."""


class ChannelFollower:
    """Yields every event of a job after `after`, once and in order, over any number of connections.

    `opened` is called whenever the job is subscribed to. `patience`: the number of connections in a row that may fail.
    """

    def __init__(
        self,
        channel_url: str,
        token: str,
        job_id: str,
        *,
        after: int = 0,
        opened: Callable[[], None] = lambda: None,
        patience: int = 6,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = channel_url
        self._token = token
        self._topic = f"job:{job_id}"
        self._last = after
        self._opened = opened
        self._sleep = sleep
        self._reconnection = Reconnection(patience, base=0.5)
        self._held: dict[int, Received] = {}

    def __iter__(self) -> Iterator[Received]:
        """Raises NotFollowed, Unreachable, Unreadable."""
        while True:
            try:
                for received in self._connection():
                    yield received
                    if received.event.type in TERMINAL:
                        return
            except _Lost as fault:
                self._reconnection.failed(fault)
            self._sleep(self._reconnection.wait())

    def _connection(self) -> Iterator[Received]:
        self._held.clear()
        try:
            with connect(
                self._url,
                additional_headers={"Authorization": f"Bearer {self._token}"},
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                proxy=None if is_loopback(self._url) else True,
            ) as connection:
                self._send(connection, "subscribe", topic=self._topic, after=self._last)
                pinged = False
                while True:
                    message = self._receive(connection)
                    if message is None and pinged:
                        raise _Lost("the server does not answer")
                    pinged = message is None and self._ask(connection)
                    yield from self._apply(message or {})
        except websockets.InvalidStatus as refusal:
            status = refusal.response.status_code
            if status < 500 and status != 429:
                raise NotFollowed(f"the channel was refused with status {status}") from refusal
            raise _Lost(f"the channel was refused with status {status}") from refusal
        except (OSError, websockets.WebSocketException) as error:
            raise _Lost(f"{type(error).__name__}: {error}") from error

    def _ask(self, connection: ClientConnection) -> bool:
        """After a silence ask for what is missing; return whether by a ping."""
        is_ping = not self._held
        self._held.clear()
        if is_ping:
            self._send(connection, "ping", positions={self._topic: self._last})
        else:
            self._send(connection, "subscribe", topic=self._topic, after=self._last)
        return is_ping

    def _apply(self, message: Mapping[str, Any]) -> Iterator[Received]:
        match message.get("type"):
            case "subscribed":
                self._reconnection.succeeded()
                self._opened()
            case "events":
                yield from self._next(message["events"])
            case "pong" if self._topic not in message["tails"]:
                raise _Lost("the connection is not subscribed")
            case "error" if message["retryAfter"] is None:
                raise NotFollowed(f"{message['code']}: {message['message']}")
            case "behind" if message["then"] == "read":
                raise Unreadable("an event is too large for the channel; follow the job's stream")
            case "error" | "behind" | "closing":
                raise _Lost(str(message.get("reason") or message.get("message") or "behind"))

    def _next(self, events: list[tuple[int, dict[str, Any]]]) -> Iterator[Received]:
        """Yield the events that follow the last one, and hold those behind a gap."""
        for seq, event in events:
            if seq > self._last:
                self._held[seq] = _received(seq, event)
        for seq, received in sorted(self._held.items()):
            if seq == self._last + 1 or isinstance(received.event, Snapshot):
                self._last = seq
                yield received
        self._held = {seq: received for seq, received in self._held.items() if seq > self._last}

    def _receive(self, connection: ClientConnection) -> dict[str, Any] | None:
        """Return the next message, or None after a silence."""
        try:
            text = connection.recv(timeout=GAP_SECONDS if self._held else PING_SECONDS)
            message: dict[str, Any] = json.loads(text)
        except TimeoutError:
            return None
        except ValueError as error:
            raise Unreadable(f"{self._url}: {error}") from error
        return message

    def _send(self, connection: ClientConnection, kind: str, **fields: Any) -> None:
        connection.send(json.dumps({"type": kind, "id": "1", **fields}))


def _received(seq: int, event: Mapping[str, Any]) -> Received:
    if "resultUrl" in event:
        raise Unreadable(f"the result is too large for the channel; read {event['resultUrl']}")
    try:
        return Received(seq, parse_stream_event(json.dumps(event)))
    except ValueError as error:
        raise Unreadable(f"event {seq}: {error}") from error
