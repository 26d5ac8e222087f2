"""Erase the open connections of an owner, and what they are subscribed to."""

from __future__ import annotations

from datetime import datetime

from shared.channel.connections import ConnectionRegistry
from shared.channel.posts import ChannelPosts
from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_each


class OwnerConnections:
    """Implements OwnerData for the connections that have a slot of the owner."""

    name = "connections"
    holds = "open connections of the channel, and what they are subscribed to"
    places = ("ChannelTable CONN#", "ChannelTable TOPIC#")

    def __init__(self, registry: ConnectionRegistry, posts: ChannelPosts, *, clock: Clock) -> None:
        self._registry = registry
        self._posts = posts
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - none is left
        """Remove connections and close them."""
        return erase_each(self._registry.connections_of(owner), self._erase, clock=self._clock, until=until)

    def _erase(self, connection_id: str) -> None:
        self._posts.close(connection_id)
        self._registry.erase(connection_id)
