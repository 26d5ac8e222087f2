"""Which connections are subscribed to a topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Subscription:
    """A connection gets the events of a topic after number `position`, which it had when it subscribed."""

    topic: str
    connection_id: str
    position: int


class SubscriptionStore(Protocol):
    """Store subscriptions, one per topic and connection. Each method raises TransientFault if the storage fails."""

    def put(self, subscription: Subscription, *, expires_at: int) -> None:
        """Store the subscription, which replaces an earlier one, to expire at `expires_at` (Unix seconds)."""

    def remove(self, topic: str, connection_id: str) -> None:
        """Remove the subscription, if there is one."""

    def has(self, topic: str, connection_id: str) -> bool:
        """Return whether the connection's subscription to the topic is stored, strongly consistent."""

    def of_topic(self, topic: str, *, consistent: bool = False) -> Sequence[Subscription]:
        """Return the topic's subscriptions. Without `consistent`, one of the last second may be missing."""
