"""Connections: their limits, what is counted, and what is removed with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from shared.channel.connections import (
    CONNECTION_SECONDS,
    MESSAGES,
    SUBSCRIPTIONS,
    ChannelLimits,
    ConnectionRegistry,
    MustClose,
)
from shared.channel.subscriptions import Subscription
from shared.errors import Conflict, RateLimitExceeded, StorageUnavailable, StreamLimitExceeded
from tests.fakes.channel import FakeConnectionStore, FakeSubscriptionStore
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.records import FakeRecordStore

UNTIL = NOON.timestamp() + CONNECTION_SECONDS


@dataclass
class Channel:
    """A registry on fakes."""

    clock: SettableClock = field(default_factory=SettableClock)
    connections: FakeConnectionStore = field(default_factory=FakeConnectionStore)
    subscriptions: FakeSubscriptionStore = field(default_factory=FakeSubscriptionStore)

    def __post_init__(self) -> None:
        self.registry = ConnectionRegistry(
            connections=self.connections,
            subscriptions=self.subscriptions,
            records=FakeRecordStore(),
            limits=ChannelLimits(),
            clock=self.clock,
        )

    def open(self, name: str, *, tab: str | None = None, owner: str = "ada", until: float = UNTIL) -> None:
        self.registry.open(name, owner=owner, tab=tab or name, until=until)

    def reason_to_close(self, name: str = "one") -> str:
        with pytest.raises(MustClose) as closing:
            self.registry.admit(name)
        return closing.value.reason


@pytest.fixture
def channel() -> Channel:
    return Channel()


class TestOpening:
    def test_the_eleventh_connection_of_a_user_is_refused(self, channel: Channel) -> None:
        for number in range(10):
            channel.registry.check_free_slot("ada")
            channel.open(f"connection{number}")
        with pytest.raises(StreamLimitExceeded, match="at most 10 connections open"):
            channel.open("eleventh")
        with pytest.raises(StreamLimitExceeded, match="at most 10 connections open"):
            channel.registry.check_free_slot("ada")
        assert channel.connections.get("eleventh") is None
        channel.open("another user's", owner="bob")

    def test_a_removed_connection_frees_its_slot(self, channel: Channel) -> None:
        for number in range(10):
            channel.open(f"connection{number}")
        channel.registry.remove("connection3")
        channel.open("eleventh")

    def test_a_connection_of_which_nothing_is_heard_frees_its_slot_after_eleven_minutes(self, channel: Channel) -> None:
        for number in range(10):
            channel.open(f"connection{number}")
        channel.clock.advance(659)
        with pytest.raises(StreamLimitExceeded):
            channel.open("eleventh")
        channel.clock.advance(1)
        channel.open("eleventh")

    def test_the_31st_opening_within_a_minute_is_refused(self, channel: Channel) -> None:
        for number in range(30):
            channel.open(f"connection{number}")
            channel.registry.remove(f"connection{number}")
        with pytest.raises(RateLimitExceeded, match="at most 30 connections per minute; try again in 60 s"):
            channel.open("31st")
        channel.clock.advance(60)
        channel.open("32nd")

    def test_a_connection_that_could_not_be_stored_takes_no_slot(
        self, channel: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: object) -> None:
            raise StorageUnavailable("the database could not be reached")

        with monkeypatch.context() as broken:
            broken.setattr(channel.connections, "put_new", fail)
            for number in range(10):
                with pytest.raises(StorageUnavailable):
                    channel.open(f"connection{number}")
        channel.open("stored")


class TestMessages:
    def test_the_21st_message_within_ten_seconds_is_refused(self, channel: Channel) -> None:
        channel.open("one")
        for _ in range(MESSAGES):
            channel.registry.admit("one")
        channel.clock.advance(9)
        with pytest.raises(RateLimitExceeded) as refused:
            channel.registry.admit("one")
        assert refused.value.retry_after == 1
        channel.clock.advance(1)
        channel.registry.admit("one")

    def test_the_third_refusal_in_a_row_closes_the_connection(self, channel: Channel) -> None:
        channel.open("one")
        for _ in range(MESSAGES):
            channel.registry.admit("one")
        for _ in range(2):
            with pytest.raises(RateLimitExceeded):
                channel.registry.admit("one")
        assert channel.reason_to_close() == "too_many_messages"

    def test_an_admitted_message_begins_a_new_row_of_refusals(self, channel: Channel) -> None:
        channel.open("one")
        for _ in range(3):
            for _ in range(MESSAGES):
                channel.registry.admit("one")
            for _ in range(2):
                with pytest.raises(RateLimitExceeded):
                    channel.registry.admit("one")
            channel.clock.advance(10)

    def test_another_connection_has_its_own_count(self, channel: Channel) -> None:
        channel.open("one")
        channel.open("two")
        for _ in range(MESSAGES):
            channel.registry.admit("one")
        channel.registry.admit("two")

    def test_a_message_after_the_token_has_expired_closes_the_connection(self, channel: Channel) -> None:
        channel.open("one", until=NOON.timestamp() + 30)
        channel.clock.advance(29)
        channel.registry.admit("one")
        channel.clock.advance(1)
        assert channel.reason_to_close() == "reauthenticate"

    def test_a_message_on_a_connection_that_is_not_stored_closes_it(self, channel: Channel) -> None:
        assert channel.reason_to_close("unknown") == "unknown_connection"

    def test_a_message_renews_the_slot_and_a_newer_connection_of_the_tab_replaces_an_older_one(
        self, channel: Channel
    ) -> None:
        channel.open("one", tab="tab")
        for _ in range(20):
            channel.clock.advance(240)
            channel.registry.admit("one")
        channel.open("two", tab="tab")
        channel.registry.admit("one")  # a slot is renewed once a minute
        channel.clock.advance(60)
        assert channel.reason_to_close("one") == "replaced"
        channel.registry.admit("two")


class TestTopics:
    def test_the_51st_subscription_is_refused(self, channel: Channel) -> None:
        channel.open("one")
        for number in range(SUBSCRIPTIONS):
            channel.registry.add_topic("one", f"job:{number}")
        with pytest.raises(Conflict, match="at most 50 subscriptions; unsubscribe from a topic first"):
            channel.registry.add_topic("one", "job:51")
        channel.registry.add_topic("one", "job:7")  # it has this one
        channel.registry.drop_topic("one", "job:7")
        channel.registry.add_topic("one", "job:51")

    def test_a_removed_connection_has_no_subscription(self, channel: Channel) -> None:
        channel.open("one")
        channel.open("two")
        for connection in ("one", "two"):
            channel.registry.add_topic(connection, "job:1")
            subscription = Subscription(topic="job:1", connection_id=connection, position=0)
            channel.subscriptions.put(subscription, expires_at=0)
        for _ in range(2):
            channel.registry.remove("one")
        assert [each.connection_id for each in channel.subscriptions.of_topic("job:1")] == ["two"]
        assert channel.connections.get("one") is None
