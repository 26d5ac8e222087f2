"""A watcher that follows over the channel, or changes between channel and stream with each connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.api_user import Event
from tests.chaos.watcher import Watcher
from tests.patience import PATIENCE

_GAP_SECONDS = 0.3
_PING_SECONDS = 2.0
_REFUSED = {429, 500, 502, 503}
"""Responses to a handshake after which a watcher tries again: no slot is free, or DynamoDB is throttling."""


@dataclass(slots=True)
class ChannelWatcher(Watcher):
    """A Watcher at the channel's URL. `url` is that of the job's stream: with `alternates` each second connection's.

    With `followed` it watches that topic instead of the job's. Such a topic has no terminal event: the watcher ends
    when it has seen the event with the number `until`.
    """

    channel_url: str = ""
    alternates: bool = False
    followed: str | None = None
    until: int | None = None
    _held: dict[int, Event] = field(default_factory=dict)
    _tries: int = 0

    @property
    def topic(self) -> str:
        return self.followed or f"job:{self.url.rsplit('/', 2)[-2]}"

    def _is_at_the_end(self) -> bool:
        if self.followed is None:
            return Watcher._is_at_the_end(self)
        return self.until is not None and self.last_id >= self.until

    async def _connect(self) -> None:
        self._tries += 1
        if self.alternates and self._tries % 2 == 0:
            await Watcher._connect(self)
            return
        drop: float | None = None
        async with self._open() as connection:
            self.connections += 1
            self._held.clear()
            await self._send(connection, "subscribe", after=self.last_id)
            drop = await self._read(connection)
            if drop is not None:
                connection.transport.abort()  # as a network breaks: the server is told nothing
        await asyncio.sleep(drop or 0)

    async def ask_after_the_end(self) -> None:
        """Subscribe once more after the end; nothing may follow it."""
        async with self._open() as connection:
            await self._send(connection, "subscribe", after=self.last_id)
            message = await self._receive(connection, PATIENCE)
            if message is None or message["type"] != "subscribed":
                self.problems.append(f"subscribing after the end was answered {message}")

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[ClientConnection]:
        """Open a connection, with as many tries as it takes. One that breaks ends the block."""
        headers = {"Authorization": self.client.headers["Authorization"]}
        while True:
            try:
                connection = await connect(
                    self.channel_url,
                    additional_headers=headers,
                    subprotocols=[Subprotocol("millrace.v1")],
                    open_timeout=PATIENCE,
                    proxy=None,
                )
                break
            except websockets.InvalidStatus as refusal:
                status = refusal.response.status_code
                if status not in _REFUSED:
                    self.problems.append(f"connecting was answered {status}")
                self.refused += 1
                await asyncio.sleep(0.3)
        with contextlib.suppress(websockets.ConnectionClosed):
            async with connection:
                yield connection

    async def _read(self, connection: ClientConnection) -> float | None:
        """Read until the end, or until the connection must break; return the seconds until the reconnection then."""
        received = 0
        while not self._is_at_the_end():
            message = await self._receive(connection, _GAP_SECONDS if self._held else _PING_SECONDS)
            if message is None:
                await self._ask(connection)
            elif message["type"] in {"error", "behind"}:
                await asyncio.sleep(message.get("retryAfter") or 0.3)
                await self._send(connection, "subscribe", after=self.last_id)
            elif message["type"] == "pong" and self.topic not in message["tails"]:
                await self._send(connection, "subscribe", after=self.last_id)
            elif message["type"] == "events":
                for event in self._next(message["events"]):
                    self._take(event)
                    received += 1
                    if self._is_at_the_end():
                        return None
                    if (drop := self._drop_after(received)) is not None:
                        return drop
        return None

    async def _ask(self, connection: ClientConnection) -> None:
        """After a silence ask for what is missing."""
        if self._held:
            self._held.clear()
            await self._send(connection, "subscribe", after=self.last_id)
        else:
            await self._send(connection, "ping", positions={self.topic: self.last_id})

    def _next(self, events: list[tuple[int, dict[str, Any]]]) -> list[Event]:
        """Return the events that follow the last one, and hold those behind a gap."""
        self._held |= {seq: Event(seq, event["type"], event) for seq, event in events}
        ready, last = [], self.last_id
        for seq in sorted(self._held):
            if seq == last + 1 or (seq > last and self._held[seq].type == "snapshot"):
                ready.append(self._held[seq])
                last = seq
        self._held = {seq: event for seq, event in self._held.items() if seq > last}
        return ready

    async def _send(self, connection: ClientConnection, kind: str, **fields: Any) -> None:
        topic = {"topic": self.topic} if kind == "subscribe" else {}
        await connection.send(json.dumps({"type": kind, "id": "1", **topic, **fields}))

    async def _receive(self, connection: ClientConnection, seconds: float) -> dict[str, Any] | None:
        """Return the next message, or None if none came in this time."""
        try:
            async with asyncio.timeout(seconds):
                text = await connection.recv()
        except TimeoutError:
            return None
        message: dict[str, Any] = json.loads(text)
        return message
