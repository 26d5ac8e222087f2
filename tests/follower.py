"""Follow a job over the channel as a stranger would: with a WebSocket client that is not ours, and docs/channel.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.api_user import TERMINAL, ApiUser, Event
from tests.patience import PATIENCE

SUBPROTOCOL = "millrace.v1"


GAP_SECONDS = 0.3
PING_SECONDS = 5.0


class Log:
    """What a follower has of a topic: it applies each event once and in order, and holds what is behind a gap."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.held: dict[int, Event] = {}

    @property
    def last(self) -> int:
        return self.events[-1].id or 0 if self.events else 0

    @property
    def has_ended(self) -> bool:
        return bool(self.events) and self.events[-1].type in TERMINAL

    def receive(self, events: Iterable[tuple[int, dict[str, Any]]], *, at_most: int | None = None) -> None:
        """Apply the events, until there are `at_most`."""
        self.held |= {seq: Event(seq, event["type"], event) for seq, event in events}
        for seq in sorted(self.held):
            if len(self.events) == at_most:
                return
            if seq == self.last + 1 or (seq > self.last and self.held[seq].type == "snapshot"):
                self.events.append(self.held[seq])
        self.held = {seq: event for seq, event in self.held.items() if seq > self.last}


class Channel:
    """An open connection; `send` and `until` speak the messages of docs/channel.md."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = 0

    def send(self, kind: str, **fields: Any) -> str:
        """Send a message and return its id."""
        self._ids += 1
        message = {"type": kind, "id": str(self._ids), **fields}
        self.connection.send(json.dumps(message))
        return str(self._ids)

    def receive(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the next message. Raises TimeoutError."""
        message: dict[str, Any] = json.loads(self.connection.recv(timeout=timeout))
        return message

    def answer(self, message_id: str) -> dict[str, Any]:
        """Return the answer to a message; other messages are skipped."""
        while True:
            message = self.receive()
            if message.get("id") == message_id:
                return message

    def cut(self) -> None:
        """Break the connection without a closing handshake, as a network does."""
        self.connection.socket.shutdown(2)


@contextmanager
def channel_of(user: ApiUser, *, ticket: dict[str, Any] | None = None) -> Iterator[Channel]:
    """Open a connection with the user's token, or with a ticket as a browser does."""
    headers = {"Authorization": f"Bearer {user.token}"} if ticket is None else {}
    protocols = [SUBPROTOCOL] if ticket is None else ticket["subprotocols"]
    with connect(
        user.stack.channel_url,
        additional_headers=headers,
        subprotocols=[Subprotocol(each) for each in protocols],
        open_timeout=PATIENCE,
        proxy=None,
    ) as connection:
        yield Channel(connection)


def topic_of(job_id: str) -> str:
    return f"job:{job_id}"


def follow(user: ApiUser, job_id: str, cuts: Sequence[int] = ()) -> list[Event]:
    """Return the job's events to its end; the connection is cut when the follower has these numbers of events."""
    log, left = Log(), list(cuts)
    while not log.has_ended:
        with channel_of(user) as channel:
            channel.send("subscribe", topic=topic_of(job_id), after=log.last)
            read(channel, topic_of(job_id), log, left)
    return log.events


def read(channel: Channel, topic: str, log: Log, cuts: list[int]) -> None:
    """Read until the next of the cuts, or to the end."""
    while not log.has_ended:
        try:
            message = channel.receive(GAP_SECONDS if log.held else PING_SECONDS)
        except TimeoutError:
            if log.held:
                channel.send("subscribe", topic=topic, after=log.last)
            else:
                channel.send("ping", positions={topic: log.last})
            log.held.clear()
            continue
        if message["type"] == "pong" and topic not in message["tails"]:
            channel.send("subscribe", topic=topic, after=log.last)
        if message["type"] == "events":
            log.receive(message["events"], at_most=cuts[0] if cuts else None)
        if cuts and len(log.events) == cuts[0]:
            cuts.pop(0)
            log.held.clear()
            channel.cut()
            return
