"""Subscribing: who may, what is sent, and that no event falls between what is sent and what is pushed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.channel.announcing_log import AnnouncingEventLog
from shared.channel.catch_up import CatchUp
from shared.channel.connections import Connection, MustClose
from shared.channel.job_topics import JobTopics
from shared.channel.messages import Subscribe, Unsubscribe
from shared.channel.posts import ConnectionGone
from shared.channel.sizes import MAX_EVENT_BYTES, MAX_EVENTS
from shared.errors import Forbidden, InvalidInput, NotFound
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobGuard
from shared.log.event_log import MAX_BATCH, Batch
from shared.log.events import Cancelled, Delta, StoredEvent
from shared.log.fence import Fence
from tests.fakes.clock import NOON
from tests.fakes.core import FakeCore, says
from tests.fakes.core import ScriptedStage as Stage


class Subscriber:
    """A connection of ada on a core of fakes, and the service that subscribes it. Time passes when it sleeps only."""

    def __init__(self) -> None:
        self.core = FakeCore()
        self.posts = self.core.ports.channel_posts
        self.now = 0.0
        self.while_sleeping: Callable[[], None] = lambda: None
        self.registry = self.core.connection_registry
        self.registry.open("one", owner="ada", tab="tab", until=2**40)
        self.service = CatchUp(
            sources=self.core.topic_sources,
            registry=self.registry,
            subscriptions=self.core.ports.subscriptions,
            posts=self.posts,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.while_sleeping()
        self.now += seconds

    @property
    def connection(self) -> Connection:
        found = self.core.ports.connections.get("one")
        assert found is not None
        return found

    def subscribe(self, topic: str, after: int = 0) -> None:
        self.service.subscribe(self.connection, Subscribe(id="7", topic=topic, after=after))

    def append(self, job: Job, *events: StoredEvent, first: int | None = None) -> None:
        seq = self.core.log.tail(job.id).seq + 1 if first is None else first
        for begin in range(0, len(events), MAX_BATCH):
            some = events[begin : begin + MAX_BATCH]
            watched = self.core.log.tail(job.id).watched
            batch = Batch(seq + begin, some, Fence.of_resumption(1), NOON, watched=watched, expires_at=job.expires_at)
            self.core.log.append(job.id, batch)

    def sent(self) -> list[str]:
        return [message["type"] for message in self.posts.sent["one"]]


@pytest.fixture
def subscriber() -> Subscriber:
    return Subscriber()


class TestWhatIsRefused:
    @pytest.mark.parametrize("topic", ["session:ses_1", "job", "job_a01", ":", "JOB:x", "job:nonsense", "job:"])
    def test_an_unknown_topic(self, subscriber: Subscriber, topic: str) -> None:
        with pytest.raises(NotFound):
            subscriber.subscribe(topic)
        assert subscriber.sent() == []
        assert subscriber.connection.topics == ()

    def test_the_message_lists_the_kinds_of_topics(self, subscriber: Subscriber) -> None:
        with pytest.raises(NotFound, match="topics are: job:<id>"):
            subscriber.subscribe("session:ses_1")

    def test_another_users_job(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job(owner="bob")
        with pytest.raises(Forbidden):
            subscriber.subscribe(f"job:{job.id}")
        assert subscriber.sent() == []

    def test_an_event_beyond_the_last_one(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.append(job, Delta(text="a"), Delta(text="b"))
        with pytest.raises(InvalidInput, match="after: must be at most 2, the number of the topic's last event"):
            subscriber.subscribe(f"job:{job.id}", after=3)
        assert subscriber.connection.topics == ()

    def test_a_connection_that_has_ended(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.posts.gone.add("one")
        with pytest.raises(ConnectionGone):
            subscriber.subscribe(f"job:{job.id}")
        connection = subscriber.connection
        subscriber.registry.remove("one")
        with pytest.raises(MustClose):
            subscriber.service.subscribe(connection, Subscribe(id="7", topic=f"job:{job.id}"))


class TestWhatIsSent:
    def test_every_event_after_the_clients_last_one(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.append(job, Delta(text="a"), Delta(text="b"), Delta(text="c"))
        subscriber.subscribe(f"job:{job.id}", after=1)
        assert subscriber.posts.sent["one"] == [
            {"type": "subscribed", "id": "7", "topic": f"job:{job.id}", "after": 1, "state": "pending"},
            {
                "type": "events",
                "topic": f"job:{job.id}",
                "events": [[2, {"type": "delta", "text": "b"}], [3, {"type": "delta", "text": "c"}]],
            },
        ]
        [stored] = subscriber.core.ports.subscriptions.of_topic(f"job:{job.id}")
        assert (stored.connection_id, stored.position) == ("one", 3)

    def test_a_completed_job_is_sent_with_its_result(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.core.run(Stage("draft", says("a")), job)
        subscriber.core.run(Stage("polish", says("b", lines=["a", "b"])), job)
        subscriber.core.complete(job)
        subscriber.subscribe(f"job:{job.id}")
        *_, (_, last) = [pair for message in subscriber.posts.sent["one"][1:] for pair in message["events"]]
        assert (last["type"], last["result"]) == ("complete", {"lines": ["a", "b"]})

    def test_a_large_result_is_left_out_and_its_path_is_named(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.core.run(Stage("draft", says("a")), job)
        subscriber.core.run(Stage("polish", says("b", lines=["x" * 70_000])), job)
        subscriber.core.complete(job)
        subscriber.subscribe(f"job:{job.id}")
        last = subscriber.posts.sent["one"][-1]["events"][-1][1]
        assert (last["type"], last["result"], last["resultUrl"]) == ("complete", None, f"/jobs/{job.id}")
        assert last["usage"] is not None

    def test_many_events_are_sent_in_several_messages(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        count = MAX_EVENTS + 3
        subscriber.append(job, *(Delta(text="x") for _ in range(count)))
        subscriber.subscribe(f"job:{job.id}")
        sizes = [len(message["events"]) for message in subscriber.posts.sent["one"][1:]]
        assert sizes == [MAX_EVENTS, 3]
        assert subscriber.posts.events("one") == [(seq, "delta") for seq in range(1, count + 1)]

    def test_large_events_are_sent_in_several_messages(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.append(job, *(Delta(text="x" * (MAX_EVENT_BYTES // 2 - 100)) for _ in range(3)))
        subscriber.subscribe(f"job:{job.id}")
        assert [len(message["events"]) for message in subscriber.posts.sent["one"][1:]] == [2, 1]

    def test_an_event_too_large_for_a_message_has_to_be_read_over_http(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.append(job, Delta(text="a"), Delta(text="x" * MAX_EVENT_BYTES), Delta(text="b"))
        subscriber.subscribe(f"job:{job.id}")
        assert subscriber.posts.events("one") == [(1, "delta")]
        behind = {"type": "behind", "topic": f"job:{job.id}", "tail": 3, "then": "read"}
        assert subscriber.posts.sent["one"][-1] == behind
        assert subscriber.connection.topics == ()
        assert subscriber.core.ports.subscriptions.of_topic(f"job:{job.id}") == []

    def test_an_ended_job_without_a_terminal_event_gets_one(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job(status=JobStatus.CANCELLED)
        subscriber.subscribe(f"job:{job.id}")
        assert subscriber.posts.events("one") == [(1, "cancelled")]

    def test_a_resumed_job_that_ended_without_a_terminal_event_gets_one(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.append(job, Delta(text="a"), Cancelled())
        subscriber.core.jobs.update(job.id, {"status": JobStatus.CANCELLED, "generation": 2}, when=JobGuard())
        subscriber.subscribe(f"job:{job.id}")
        assert subscriber.posts.events("one") == [(2, "snapshot"), (3, "cancelled")]

    def test_the_end_of_a_generation_before_a_resumption_is_sent_as_a_snapshot(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.append(job, Delta(text="a"), Cancelled(), Delta(text="b"))
        subscriber.subscribe(f"job:{job.id}")
        assert subscriber.posts.events("one") == [(2, "snapshot"), (3, "delta")]


class TestWhatComesAfterIt:
    def test_the_next_append_finds_the_subscription(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.append(job, Delta(text="a"))
        subscriber.subscribe(f"job:{job.id}")
        subscriber.append(job, Delta(text="b"))
        assert [batch.watched for batch in subscriber.core.log.appends] == [0, 2]
        assert subscriber.now == 0

    def test_what_is_appended_before_the_mark_is_sent(
        self, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = subscriber.core.new_job()
        mark = subscriber.core.log.mark_watched

        def mark_late(job_id: str, *, expires_at: int) -> int:
            subscriber.append(job, Delta(text="late"))
            return mark(job_id, expires_at=expires_at)

        monkeypatch.setattr(subscriber.core.log, "mark_watched", mark_late)
        subscriber.subscribe(f"job:{job.id}")
        assert subscriber.posts.events("one") == [(1, "delta")]

    def test_of_a_topic_without_marks_a_second_is_sent(
        self, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(JobTopics, "mark_watched", lambda *_, **__: False)
        job = subscriber.core.new_job()
        subscriber.while_sleeping = lambda: subscriber.append(job, Delta(text="x"))
        subscriber.subscribe(f"job:{job.id}")
        appended = subscriber.core.log.tail(job.id).seq
        assert appended == 4
        assert subscriber.now == pytest.approx(1)
        assert subscriber.posts.events("one") == [(seq, "delta") for seq in range(1, appended + 1)]

    def test_an_event_before_the_subscription_was_stored_is_sent(
        self, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = subscriber.core.new_job()
        put = subscriber.core.ports.subscriptions.put

        def put_late(*arguments: object, **options: object) -> None:
            subscriber.append(job, Delta(text="late"))
            put(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(subscriber.core.ports.subscriptions, "put", put_late)
        subscriber.subscribe(f"job:{job.id}")
        assert subscriber.posts.events("one") == [(1, "delta")]


class TestUnsubscribing:
    def test_the_subscription_is_removed_and_the_answer_is_the_same_without_one(self, subscriber: Subscriber) -> None:
        job = subscriber.core.new_job()
        subscriber.subscribe(f"job:{job.id}")
        for _ in range(2):
            subscriber.service.unsubscribe(subscriber.connection, Unsubscribe(id="8", topic=f"job:{job.id}"))
            answer = {"type": "unsubscribed", "id": "8", "topic": f"job:{job.id}"}
            assert subscriber.posts.sent["one"][-1] == answer
        assert subscriber.connection.topics == ()
        assert subscriber.core.ports.subscriptions.of_topic(f"job:{job.id}") == []


def test_the_announcing_log_reads_as_the_log_does() -> None:
    core = FakeCore()
    job = core.new_job()
    announced = AnnouncingEventLog(core.log, core.announcer)
    announced.append(job.id, Batch(1, (Delta(text="a"),), Fence.of_resumption(1), NOON, expires_at=job.expires_at))
    assert announced.read(job.id, after=0) == core.log.read(job.id, after=0)
    assert announced.tail(job.id).seq == 1
    assert announced.snapshot(job.id) is None
