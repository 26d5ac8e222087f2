"""Answer a client's ping: say how far its topics are, and send what it has not received."""

from __future__ import annotations

from shared.channel.connections import Connection
from shared.channel.messages import Ping, Pong
from shared.channel.pages import missed, sent_events
from shared.channel.posts import ChannelPosts
from shared.channel.subscriptions import SubscriptionStore
from shared.channel.topics import Topic, TopicSources


class Pings:
    """Answer pings. They repair what a process left out that died between an append and its post."""

    def __init__(self, *, sources: TopicSources, subscriptions: SubscriptionStore, posts: ChannelPosts) -> None:
        self._sources = sources
        self._subscriptions = subscriptions
        self._posts = posts

    def answer(self, connection: Connection, ping: Ping) -> None:
        """Send a pong with the tail of each subscribed topic of the ping, then the events that the client lacks.

        A topic to which the connection is not subscribed, or that is gone, has no tail. The subscription itself is
        read, because a `subscribe` that was killed may have noted the topic without storing it.

        Raises ConnectionGone and TransientFault.
        """
        noted = {topic: seq for topic, seq in ping.positions.items() if topic in connection.topics}
        positions = {topic: seq for topic, seq in noted.items() if self._subscriptions.has(topic, connection.id)}
        tails = {name: self._tail(Topic.named(name)) for name in positions}
        known = {name: tail for name, tail in tails.items() if tail is not None}
        self._posts.post(connection.id, Pong(id=ping.id, tails=known).model_dump_json())
        for name, tail in known.items():
            if positions[name] < tail:
                self._send_missed(connection, Topic.named(name), positions[name], tail)

    def _tail(self, topic: Topic) -> int | None:
        return self._sources.of(topic).tail(topic.id)

    def _send_missed(self, connection: Connection, topic: Topic, after: int, tail: int) -> None:
        """Send what the client lacks, and mark the topic again: a `subscribe` that was killed may not have done so."""
        source = self._sources.of(topic)
        source.mark_watched(topic.id, expires_at=connection.expires_at)
        reader = source.reader(topic.id, after=after)
        events = sent_events(topic, reader.poll())
        if events:
            self._posts.post(connection.id, missed(topic, events, tail=max(tail, reader.position)))
