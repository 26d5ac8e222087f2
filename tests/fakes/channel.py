"""The ports of the channel, in memory."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from shared.channel.connections import Connection
from shared.channel.posts import ConnectionGone
from shared.channel.subscriptions import Subscription
from shared.limits.records import VersionConflict


class FakeConnectionStore:
    """Implements ConnectionStore."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stored: dict[str, Connection] = {}

    def get(self, connection_id: str) -> Connection | None:
        with self._lock:
            return self.stored.get(connection_id)

    def put_new(self, connection: Connection) -> None:
        with self._lock:
            self.stored[connection.id] = connection

    def swap(self, connection: Connection) -> None:
        with self._lock:
            before = self.stored.get(connection.id)
            if before is None or before.version != connection.version - 1:
                raise VersionConflict
            self.stored[connection.id] = connection

    def remove(self, connection_id: str) -> None:
        with self._lock:
            self.stored.pop(connection_id, None)


class FakeSubscriptionStore:
    """Implements SubscriptionStore; `reads` counts the calls of `of_topic`, `fault` is what the next one raises."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[str, dict[str, Subscription]] = defaultdict(dict)
        self.reads = 0
        self.fault: Exception | None = None

    def put(self, subscription: Subscription, *, expires_at: int) -> None:
        with self._lock:
            self._stored[subscription.topic][subscription.connection_id] = subscription

    def remove(self, topic: str, connection_id: str) -> None:
        with self._lock:
            self._stored[topic].pop(connection_id, None)

    def has(self, topic: str, connection_id: str) -> bool:
        with self._lock:
            return connection_id in self._stored[topic]

    def of_topic(self, topic: str, *, consistent: bool = False) -> Sequence[Subscription]:
        with self._lock:
            self.reads += 1
            if self.fault is not None:
                fault, self.fault = self.fault, None
                raise fault
            return list(self._stored[topic].values())


class FakePosts:
    """Implements ChannelPosts. `sent` has every message by connection; `faults` are what its next posts raise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sent: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.gone: set[str] = set()
        self.closed: list[str] = []
        self.faults: dict[str, list[Exception]] = defaultdict(list)

    def post(self, connection_id: str, message: str) -> None:
        with self._lock:
            if connection_id in self.gone:
                raise ConnectionGone
            if self.faults[connection_id]:
                raise self.faults[connection_id].pop(0)
            self.sent[connection_id].append(json.loads(message))

    def close(self, connection_id: str) -> None:
        with self._lock:
            self.closed.append(connection_id)
            self.gone.add(connection_id)

    def events(self, connection_id: str) -> list[tuple[int, str]]:
        """Return the numbers and types of the events that the connection was sent, in order."""
        return [
            (seq, event["type"])
            for message in self.sent[connection_id]
            if message["type"] == "events"
            for seq, event in message["events"]
        ]
