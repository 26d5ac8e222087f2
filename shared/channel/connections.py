"""Open, limit and remove connections."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.channel.messages import ClosingReason
from shared.channel.subscriptions import SubscriptionStore
from shared.clock import Clock
from shared.errors import Conflict, MillraceError, RateLimitExceeded
from shared.limits.rate import RateLimit
from shared.limits.records import RecordStore, VersionConflict
from shared.limits.stream_slots import SlotHolder, StreamSlots
from shared.schema import Schema

CONNECTION_SECONDS = 7200.0
"""API Gateway ends a connection after this time."""

STORED_SECONDS = 8100
"""A connection and its subscriptions are deleted this long after it was opened, if nothing has removed them."""

LEASE_SECONDS = 660.0
"""The lease of a connection's slot. API Gateway ends a connection that was idle for 600 s."""

RENEWAL_SECONDS = 60.0
"""A message renews the slot if the last renewal was this long ago."""

MESSAGES = 20
"""How many messages a client may send on one connection in MESSAGE_SECONDS."""

MESSAGE_SECONDS = 10.0
"""The length of the window in which the messages of a connection are counted."""

REFUSALS = 3
"""After this many refused messages in a row the connection is closed."""

SUBSCRIPTIONS = 50
"""How many topics a connection may be subscribed to."""


class Connection(Schema):
    """One open connection; times are in Unix seconds.

    `until` is when its token expires. `topics` are those it is subscribed to. `messages` are the times of the messages
    of the last seconds, `refused` is how many were refused since the last one that was not. `version` counts its
    changes, for compare-and-swap.
    """

    id: str
    owner: str
    tab: str
    until: float
    opened_at: float
    renewed_at: float
    topics: tuple[str, ...] = ()
    messages: tuple[float, ...] = ()
    refused: int = 0
    version: int = 1

    @property
    def expires_at(self) -> int:
        """Return when what is stored for the connection may be deleted (Unix seconds)."""
        return int(self.opened_at) + STORED_SECONDS

    @property
    def slot(self) -> SlotHolder:
        """Return the holder of the connection's slot."""
        return SlotHolder(self.id, self.tab, lasts=CONNECTION_SECONDS)


class ConnectionStore(Protocol):
    """Store connections. Each method raises TransientFault if the storage fails."""

    def get(self, connection_id: str) -> Connection | None:
        """Return the connection, strongly consistent; None if it is not stored."""

    def put_new(self, connection: Connection) -> None:
        """Store a new connection, to be deleted at its `expires_at`."""

    def swap(self, connection: Connection) -> None:
        """Store the connection as version `connection.version`.

        Raises VersionConflict if the stored version is not the one before, or if the connection is not stored.
        """

    def remove(self, connection_id: str) -> None:
        """Remove the connection, if it is stored."""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """The limits of each user: open connections, and openings in any 60 seconds."""

    connections: int = 10
    opens_per_minute: int = 30


class MustClose(Exception):
    """The connection of a message must be closed, for this reason."""

    def __init__(self, reason: ClosingReason) -> None:
        super().__init__(reason)
        self.reason: ClosingReason = reason


class ConnectionRegistry:
    """Keep the connections of all users, within their limits."""

    def __init__(
        self,
        *,
        connections: ConnectionStore,
        subscriptions: SubscriptionStore,
        records: RecordStore,
        limits: ChannelLimits,
        clock: Clock,
        gate: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._connections = connections
        self._subscriptions = subscriptions
        self._clock = clock
        message = f"you may open at most {limits.opens_per_minute} connections per minute"
        self._opens = RateLimit(
            records, "opens", limit=limits.opens_per_minute, message=message, clock=clock, gate=gate
        )
        self._slots = StreamSlots(
            records,
            limit=limits.connections,
            lease_seconds=LEASE_SECONDS,
            clock=clock,
            record="channel",
            what="connections",
        )

    def check_free_slot(self, owner: str) -> None:
        """Raise StreamLimitExceeded if all slots of the user are taken."""
        self._slots.check_free(owner)

    def open(self, connection_id: str, *, owner: str, tab: str, until: float) -> None:
        """Store a new connection, which takes a slot of its user. `until` is when its token expires (Unix seconds).

        Raises:
            RateLimitExceeded: the user has opened too many connections in the last minute.
            StreamLimitExceeded: all slots of the user are taken.
        """
        self._opens.count(owner)
        now = self._clock().timestamp()
        connection = Connection(id=connection_id, owner=owner, tab=tab, until=until, opened_at=now, renewed_at=now)
        self._slots.take(owner, connection.slot)
        try:
            self._connections.put_new(connection)
        except BaseException:
            self._slots.release(owner, connection.slot)
            raise

    def connections_of(self, owner: str) -> Sequence[str]:
        """Return the ids of the stored connections that have a slot of the user."""
        return [each for each in self._slots.holders(owner) if self._connections.get(each) is not None]

    def admit(self, connection_id: str) -> Connection:
        """Count a message of the connection's client, renew its slot if that is due, and return the connection.

        Raises:
            RateLimitExceeded: the client sends too many messages.
            MustClose: the connection must be closed. Its slot is kept until `remove`.
        """
        refusal: MillraceError | MustClose | None = None
        renewed = False

        def decide(connection: Connection, now: float) -> Connection:
            nonlocal refusal, renewed
            refusal, renewed = None, False
            recent = tuple(time for time in connection.messages if time > now - MESSAGE_SECONDS)
            if now >= connection.until:
                refusal = MustClose("reauthenticate")
                return connection
            if len(recent) >= MESSAGES:
                refusal = _too_many(recent, connection.refused + 1, now)
                return connection.model_copy(update={"messages": recent, "refused": connection.refused + 1})
            changed = {"messages": (*recent, now), "refused": 0}
            renewed = now - connection.renewed_at >= RENEWAL_SECONDS
            return connection.model_copy(update={**changed, "renewed_at": now} if renewed else changed)

        connection = self._update(connection_id, decide)
        if refusal is not None:
            raise refusal
        if renewed and not self._slots.renew(connection.owner, connection.slot):
            raise MustClose("replaced")
        return connection

    def add_topic(self, connection_id: str, topic: str) -> Connection:
        """Note that the connection is subscribed to the topic, before the subscription is stored.

        Raises:
            Conflict: the connection has too many subscriptions.
            MustClose: the connection is not stored.
        """
        refused = False

        def decide(connection: Connection, _: float) -> Connection:
            nonlocal refused
            refused = topic not in connection.topics and len(connection.topics) >= SUBSCRIPTIONS
            if refused or topic in connection.topics:
                return connection
            return connection.model_copy(update={"topics": (*connection.topics, topic)})

        connection = self._update(connection_id, decide)
        if refused:
            rule = f"a connection may have at most {SUBSCRIPTIONS} subscriptions; unsubscribe from a topic first"
            raise Conflict(rule)
        return connection

    def drop_topic(self, connection_id: str, topic: str) -> None:
        """Remove the connection's subscription to the topic, if it has one. Raises MustClose, as `add_topic` does."""
        self._subscriptions.remove(topic, connection_id)

        def decide(connection: Connection, _: float) -> Connection:
            kept = tuple(each for each in connection.topics if each != topic)
            return connection if kept == connection.topics else connection.model_copy(update={"topics": kept})

        self._update(connection_id, decide)

    def remove(self, connection_id: str, topic: str | None = None) -> None:
        """Remove the connection, its subscriptions and its slot. It can be repeated, also if a call has failed.

        It is subscribed to `topic`, also if that is not noted: a connection that ends while `subscribe` runs can be
        removed before the subscription is stored.
        """
        connection = self._connections.get(connection_id)
        noted = connection.topics if connection else ()
        for each in noted if topic is None or topic in noted else (*noted, topic):
            self._subscriptions.remove(each, connection_id)
        if connection is None:
            return
        self._slots.release(connection.owner, connection.slot)
        self._connections.remove(connection_id)

    def erase(self, connection_id: str) -> None:
        """Remove the connection and its subscriptions. Its slot stays, by which `connections_of` finds it until then.

        It can be repeated, also if a call has failed.
        """
        connection = self._connections.get(connection_id)
        for topic in connection.topics if connection else ():
            self._subscriptions.remove(topic, connection_id)
        self._connections.remove(connection_id)

    def _update(self, connection_id: str, decide: Callable[[Connection, float], Connection]) -> Connection:
        """Store what `decide(connection, now)` returns, and return it; begin again if another has changed it."""
        while True:
            connection = self._connections.get(connection_id)
            if connection is None:
                raise MustClose("unknown_connection")
            decided = decide(connection, self._clock().timestamp())
            if decided is connection:
                return connection
            decided = decided.model_copy(update={"version": connection.version + 1})
            with contextlib.suppress(VersionConflict):
                self._connections.swap(decided)
                return decided


def _too_many(recent: tuple[float, ...], refused: int, now: float) -> MillraceError | MustClose:
    if refused >= REFUSALS:
        return MustClose("too_many_messages")
    free_in = max(1, math.ceil(recent[0] + MESSAGE_SECONDS - now))
    rule = f"a client may send at most {MESSAGES} messages in {MESSAGE_SECONDS:.0f} s; try again in {free_in} s"
    return RateLimitExceeded(rule, retry_after=free_in)
