"""Subscribe a connection to a topic: send what the client missed, without a gap before what is pushed from then on."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.channel.connections import Connection, ConnectionRegistry
from shared.channel.messages import Subscribe, Subscribed, Unsubscribe, Unsubscribed
from shared.channel.pages import messages, sent_events
from shared.channel.posts import ChannelPosts
from shared.channel.sizes import MAX_EVENT_BYTES
from shared.channel.subscriptions import Subscription, SubscriptionStore
from shared.channel.topics import Topic, TopicReader, TopicSources
from shared.errors import FieldIssue, InvalidInput

UNSEEN_SECONDS = (0.1, 0.15, 0.25, 0.5)
"""The times between two reads of a topic without marks, while a process that appends may not know of a subscription.

Together they are a second. A process reads the subscriptions twice in it, because one eventually consistent read may be
too old. Most processes find the subscription in the first half, and send the events themselves from then on.
"""


class CatchUp:
    """Subscribe and unsubscribe connections."""

    def __init__(
        self,
        *,
        sources: TopicSources,
        registry: ConnectionRegistry,
        subscriptions: SubscriptionStore,
        posts: ChannelPosts,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sources = sources
        self._registry = registry
        self._subscriptions = subscriptions
        self._posts = posts
        self._sleep = sleep

    def subscribe(self, connection: Connection, message: Subscribe) -> None:
        """Subscribe the connection, and send every event after `message.after`.

        The subscription is stored after the stored events have been sent, so that no newer event arrives before them.
        Then the topic is marked: the process that appends the next event finds the mark and the subscription, so this
        method sends the events before the mark. A topic without marks is read for UNSEEN_SECONDS. Some events are sent
        twice.

        Raises:
            NotFound: there is no such topic.
            Forbidden: the topic belongs to another user.
            InvalidInput: the topic has no event with the number `after`.
            Conflict: the connection has too many subscriptions.
            MustClose: the connection is not stored.
            ConnectionGone: the connection has ended.
            TransientFault: the storage failed; the client is to send the message again.
        """
        topic = Topic.named(message.topic)
        source = self._sources.of(topic)
        state = source.state(connection.owner, topic.id)
        tail = source.tail(topic.id) or 0
        if message.after > tail:
            rule = f"must be at most {tail}, the number of the topic's last event"
            raise InvalidInput([FieldIssue("after", rule)])
        self._registry.add_topic(connection.id, str(topic))
        answer = Subscribed(id=message.id, topic=str(topic), after=message.after, state=state)
        self._posts.post(connection.id, answer.model_dump_json())
        reader = source.reader(topic.id, after=message.after)
        if not self._send(connection, topic, reader):
            self._registry.drop_topic(connection.id, str(topic))
            return
        stored = Subscription(topic=str(topic), connection_id=connection.id, position=reader.position)
        self._subscriptions.put(stored, expires_at=connection.expires_at)
        if source.mark_watched(topic.id, expires_at=connection.expires_at):
            self._send(connection, topic, reader)
        else:
            self._send_until_known(connection, topic, reader)

    def unsubscribe(self, connection: Connection, message: Unsubscribe) -> None:
        """Remove the subscription, if there is one. Raises MustClose, ConnectionGone and TransientFault."""
        self._registry.drop_topic(connection.id, message.topic)
        answer = Unsubscribed(id=message.id, topic=message.topic)
        self._posts.post(connection.id, answer.model_dump_json())

    def _send_until_known(self, connection: Connection, topic: Topic, reader: TopicReader) -> None:
        for wait in UNSEEN_SECONDS:
            if not self._send(connection, topic, reader):
                return
            self._sleep(wait)
        self._send(connection, topic, reader)

    def _send(self, connection: Connection, topic: Topic, reader: TopicReader) -> bool:
        """Send what the reader finds. Return whether that was everything: an event may be too large for a message."""
        sent = sent_events(topic, reader.poll())
        for text in messages(topic, sent, tail=reader.position):
            self._posts.post(connection.id, text)
        return all(event.size <= MAX_EVENT_BYTES for event in sent)
