"""Pings: the tails of the client's topics, and the events that it has not received."""

from __future__ import annotations

from typing import Any

import pytest

from shared.channel.messages import Ping
from shared.channel.sizes import MAX_EVENT_BYTES, MAX_EVENTS
from shared.channel.subscriptions import Subscription
from shared.jobs.job import JobStatus
from shared.jobs.store import JobGuard
from shared.log.events import Delta
from tests.unit.channel.test_catch_up import Subscriber


@pytest.fixture
def subscriber() -> Subscriber:
    return Subscriber()


def ping(subscriber: Subscriber, **positions: int) -> list[dict[str, Any]]:
    """Send a ping with these positions of jobs, and return what was sent because of it."""
    before = len(subscriber.posts.sent["one"])
    message = Ping(id="9", positions={f"job:{job_id}": seq for job_id, seq in positions.items()})
    subscriber.core.pings.answer(subscriber.connection, message)
    return subscriber.posts.sent["one"][before:]


def test_a_ping_without_subscriptions_is_answered(subscriber: Subscriber) -> None:
    assert ping(subscriber) == [{"type": "pong", "id": "9", "tails": {}}]


def test_a_client_that_has_everything_gets_the_tails_only(subscriber: Subscriber) -> None:
    job = subscriber.core.new_job()
    subscriber.append(job, Delta(text="a"))
    subscriber.subscribe(f"job:{job.id}")
    assert ping(subscriber, **{job.id: 1}) == [{"type": "pong", "id": "9", "tails": {f"job:{job.id}": 1}}]


def test_what_the_client_lacks_is_sent_again(subscriber: Subscriber) -> None:
    job = subscriber.core.new_job()
    subscriber.subscribe(f"job:{job.id}")
    subscriber.append(job, Delta(text="a"), Delta(text="b"))
    pong, events = ping(subscriber, **{job.id: 1})
    assert pong["tails"] == {f"job:{job.id}": 2}
    assert events["events"] == [[2, {"type": "delta", "text": "b"}]]


def test_a_ping_marks_a_topic_whose_subscribe_was_killed_before_it_did(subscriber: Subscriber) -> None:
    job = subscriber.core.new_job()
    subscriber.registry.add_topic("one", f"job:{job.id}")
    stored = Subscription(topic=f"job:{job.id}", connection_id="one", position=0)
    subscriber.core.ports.subscriptions.put(stored, expires_at=2**40)
    for text in "abc":
        ping(subscriber, **{job.id: 1})
        subscriber.append(job, Delta(text=text))
    ping(subscriber, **{job.id: 1})
    subscriber.append(job, Delta(text="d"))
    assert [batch.watched for batch in subscriber.core.log.appends] == [0, 0, 3, 4]


def test_a_topic_without_a_subscription_or_that_has_expired_has_no_tail(subscriber: Subscriber) -> None:
    watched, other = subscriber.core.new_job(), subscriber.core.new_job()
    subscriber.subscribe(f"job:{watched.id}")
    subscriber.append(other, Delta(text="a"))
    subscriber.core.clock.advance(10**6)
    assert ping(subscriber, **{watched.id: 0, other.id: 0}) == [{"type": "pong", "id": "9", "tails": {}}]


def test_a_topic_whose_subscription_is_not_stored_has_no_tail(subscriber: Subscriber) -> None:
    """A `subscribe` that is killed can leave a topic that the connection has noted, and nothing else."""
    job = subscriber.core.new_job()
    subscriber.registry.add_topic("one", f"job:{job.id}")
    subscriber.append(job, Delta(text="a"))
    assert ping(subscriber, **{job.id: 0}) == [{"type": "pong", "id": "9", "tails": {}}]


def test_an_ended_job_without_a_terminal_event_gets_one(subscriber: Subscriber) -> None:
    job = subscriber.core.new_job()
    subscriber.subscribe(f"job:{job.id}")
    subscriber.core.jobs.update(job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
    _, events = ping(subscriber, **{job.id: 0})
    [[seq, event]] = events["events"]
    assert (seq, event["type"]) == (1, "cancelled")


@pytest.mark.parametrize(
    ("texts", "then"),
    [
        (["x"] * (MAX_EVENTS + 1), "subscribe"),
        (["x" * (MAX_EVENT_BYTES // 2)] * 3, "subscribe"),
        (["x" * MAX_EVENT_BYTES], "read"),
    ],
)
def test_a_client_that_lacks_too_much_is_told_how_to_get_it(
    subscriber: Subscriber, texts: list[str], then: str
) -> None:
    job = subscriber.core.new_job()
    subscriber.subscribe(f"job:{job.id}")
    subscriber.append(job, *(Delta(text=text) for text in texts))
    _, behind = ping(subscriber, **{job.id: 0})
    assert behind == {"type": "behind", "topic": f"job:{job.id}", "tail": len(texts), "then": then}
