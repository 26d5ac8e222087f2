"""The announcer: what it sends to whom and when, and that nothing it meets disturbs an append."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

import pytest

from shared.assembly import Core
from shared.channel.announcer import Announcer
from shared.channel.announcing_log import AnnouncingEventLog
from shared.channel.sizes import MAX_EVENT_BYTES, MAX_EVENTS
from shared.channel.subscriptions import Subscription
from shared.channel.topics import Topic
from shared.errors import StorageThrottled, StorageUnavailable
from shared.jobs.invocation import StageInvocation
from shared.jobs.job import Job
from shared.log.event_log import MAX_BATCH, Batch
from shared.log.events import Cancelled, Delta, StoredEvent, StoredReset
from shared.log.fence import Fence
from tests.fakes.clock import NOON
from tests.fakes.core import FakeCore, Verse, says
from tests.fakes.core import ScriptedStage as Stage
from tests.patience import PATIENCE


class Process:
    """A process that appends to one job's log and announces it. `do` lets it do what is due at the time `now`.

    Without `has_marks` it announces as to a topic of an application that has none.
    """

    def __init__(self, core: FakeCore, job: Job | None = None, *, has_marks: bool = True) -> None:
        self.core = core
        self.has_marks = has_marks
        self.posts = core.ports.channel_posts
        self.subscriptions = core.ports.subscriptions
        self.job = job or core.new_job()
        self.topic = Topic.of_job(self.job.id)
        self.now = 100.0
        self.started: list[Callable[[], None]] = []
        self.announcer = Announcer(
            sources=core.topic_sources,
            subscriptions=self.subscriptions,
            posts=self.posts,
            remove=core.connection_registry.remove,
            monotonic=lambda: self.now,
            submit=self.started.append,
        )
        self.log = AnnouncingEventLog(core.log, self.announcer)

    def watch(self, *names: str, position: int = 0) -> None:
        for name in names:
            self.core.connection_registry.open(name, owner="ada", tab=name, until=2**40)
            self.core.connection_registry.add_topic(name, str(self.topic))
            subscription = Subscription(topic=str(self.topic), connection_id=name, position=position)
            self.subscriptions.put(subscription, expires_at=2**40)
            self.core.log.mark_watched(self.job.id, expires_at=2**40)

    def append(self, *events: StoredEvent) -> None:
        for begin in range(0, len(events), MAX_BATCH):
            tail = self.core.log.tail(self.job.id)
            some = tuple(events[begin : begin + MAX_BATCH])
            fence, expires_at = Fence.of_resumption(1), self.job.expires_at
            batch = Batch(tail.seq + 1, some, fence, NOON, watched=tail.watched, expires_at=expires_at)
            if self.has_marks:
                self.log.append(self.job.id, batch)
            else:
                self.core.log.append(self.job.id, batch)
                self.announcer.notice(self.topic, batch.first, [Delta(text="x") for _ in some])

    def say(self, *texts: str) -> None:
        self.append(*(Delta(text=text) for text in texts))

    def do(self, *, after: float = 0.0) -> float | None:
        """Let time pass, then do what is due and what follows from that; return how long nothing is due."""
        self.now += after
        wait = self.announcer.step()
        while self.started:
            self.started.pop(0)()
            wait = self.announcer.step()
        return wait


@pytest.fixture
def process() -> Process:
    return Process(FakeCore())


@pytest.fixture
def unmarked() -> Process:
    return Process(FakeCore(), has_marks=False)


class TestWhatIsSent:
    def test_every_watcher_gets_each_event_at_once(self, process: Process) -> None:
        process.watch("one", "two")
        process.append(Delta(text="a"), Delta(text="b"))
        process.do()
        for name in ("one", "two"):
            assert process.posts.sent[name] == [
                {
                    "type": "events",
                    "topic": f"job:{process.job.id}",
                    "events": [[1, {"type": "delta", "text": "a"}], [2, {"type": "delta", "text": "b"}]],
                }
            ]

    def test_events_within_50_ms_are_sent_together(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.do()
        for number, text in enumerate("bcd", 1):
            process.say(text)
            assert process.do(after=0.01) == pytest.approx(0.05 - number * 0.01)
        process.do(after=0.02)
        assert [[seq for seq, _ in message["events"]] for message in process.posts.sent["one"]] == [[1], [2, 3, 4]]

    def test_text_that_is_appended_every_100_ms_never_waits(self, process: Process) -> None:
        process.watch("one")
        for number, jitter in enumerate([0.0, 0.1, 0.08, 0.12, 0.1, 0.06, 0.14], 1):
            process.now += jitter
            process.say("x")
            process.do()
            assert len(process.posts.sent["one"]) == number

    def test_a_connection_gets_ten_messages_a_second(self, process: Process) -> None:
        process.watch("one")
        for _ in range(100):
            process.say("x")
            process.do(after=0.01)
        assert 10 <= len(process.posts.sent["one"]) <= 11

    def test_at_the_end_of_an_invocation_nothing_waits_for_its_turn(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.do()
        process.say("b")
        process.do()
        assert len(process.posts.sent["one"]) == 1

        flushing = threading.Thread(target=process.announcer.flush, args=(PATIENCE,))
        flushing.start()
        while not process.announcer._flushing:
            assert flushing.is_alive()
            flushing.join(0.001)
        process.do()
        flushing.join(PATIENCE)
        assert process.posts.events("one") == [(1, "delta"), (2, "delta")]
        assert not flushing.is_alive()

    def test_a_connection_gets_what_it_lacks_only(self, process: Process) -> None:
        process.watch("one", position=2)
        process.say("a", "b", "c")
        process.do()
        assert process.posts.events("one") == [(3, "delta")]

    def test_a_process_sends_what_it_has_appended_itself_only(self, process: Process) -> None:
        process.say("a", "b")
        process.watch("one")
        other = Process(process.core, process.job)
        other.say("c")
        other.do()
        assert other.posts.events("one") == [(3, "delta")]

    def test_a_reset_is_sent_with_its_text_and_the_end_with_its_result(self, process: Process) -> None:
        process.watch("one")
        process.say("first try")
        reset = {"progress": 0, "reason": "REPAIR", "message": "again", "attempt": 1, "retry_count": 0}
        process.append(StoredReset.model_validate({**reset, "kept_characters": 5}))
        process.do()
        [message] = process.posts.sent["one"]
        assert message["events"][1][1]["text"] == "first"

        core = process.core
        core.run(Stage("draft", says("a")), process.job)
        core.run(Stage("polish", says("b", lines=["b"])), process.job)
        process.do(after=0.1)
        other = Core(core.ports)
        vars(other)["event_log"] = process.log
        other.job_completion.complete(StageInvocation(job_id=process.job.id, generation=1, retry=0))
        process.do(after=0.1)
        last = process.posts.sent["one"][-1]["events"][-1][1]
        assert (last["type"], last["result"]) == ("complete", {"lines": ["b"]})

    def test_an_end_that_a_resumption_has_replaced_is_sent_as_a_snapshot(self, process: Process) -> None:
        process.watch("one")
        process.append(Delta(text="a"), Cancelled())
        process.say("b")
        process.do()
        assert process.posts.events("one") == [(2, "snapshot"), (3, "delta")]

    def test_an_applications_event_is_sent_as_it_is_stored(self, process: Process) -> None:
        process.watch("one")
        process.append(Verse(line="of rivers"))
        process.do()
        assert process.posts.sent["one"][0]["events"] == [[1, {"type": "verse", "line": "of rivers"}]]

    def test_a_connection_that_is_too_far_behind_has_to_subscribe_again(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.do()
        process.say(*["x"] * (MAX_EVENTS + 1))
        process.do(after=0.1)
        behind = {"type": "behind", "topic": f"job:{process.job.id}", "tail": MAX_EVENTS + 2, "then": "subscribe"}
        assert process.posts.sent["one"][1:] == [behind]
        process.say("y")
        process.do(after=0.1)
        assert process.posts.events("one")[-1] == (MAX_EVENTS + 3, "delta")

    def test_so_has_one_that_lacks_more_bytes_than_fit_into_a_message(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.do()
        process.say(*["x" * (MAX_EVENT_BYTES // 2)] * 3)
        process.do(after=0.1)
        assert [message["type"] for message in process.posts.sent["one"]] == ["events", "behind"]

    def test_an_event_too_large_for_a_message_has_to_be_read(self, process: Process) -> None:
        process.watch("one")
        process.say("x" * MAX_EVENT_BYTES)
        process.do()
        assert process.posts.sent["one"][-1]["then"] == "read"


def reads_in_three_seconds(process: Process) -> list[int]:
    """Append text every 25 ms, and return the milliseconds at which the process reads the subscriptions."""
    read_at = []
    for now in range(0, 3000, 25):
        before = process.subscriptions.reads
        process.say("x")
        process.now = 100.0 + now / 1000
        process.do()
        read_at += [now] * (process.subscriptions.reads - before)
    return read_at


class TestTopicsWithoutMarks:
    @pytest.mark.parametrize("watchers", [(), ("one",)])
    def test_the_subscriptions_are_read_twice_a_second_and_at_first_more_often(
        self, unmarked: Process, watchers: tuple[str, ...]
    ) -> None:
        unmarked.watch(*watchers)
        expected = [0, 100, 200, 400, 800, 1300, 1800, 2300, 2800]
        assert reads_in_three_seconds(unmarked) == pytest.approx(expected, abs=50)

    def test_a_new_watcher_is_found_within_half_a_second_and_gets_all_since_its_subscription(
        self, unmarked: Process
    ) -> None:
        for _ in range(3):
            unmarked.say("x")
            unmarked.do(after=0.5)
        unmarked.watch("one", position=3)
        unmarked.say("b")
        unmarked.do(after=0.4)
        assert unmarked.posts.events("one") == []
        unmarked.do(after=0.1)
        assert unmarked.posts.events("one") == [(4, "delta")]


class TestWhoWatches:
    def test_a_log_that_no_connection_has_subscribed_to_is_not_announced(
        self, process: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process.announcer, "notice", lambda *_, **__: pytest.fail("announced"))
        process.say("a", "b")
        assert process.do() is None
        assert process.subscriptions.reads == 0

    def test_the_next_event_after_a_subscription_is_sent_at_once(self, process: Process) -> None:
        process.say("a")
        process.do()
        for number, name in enumerate(("one", "two"), 1):
            process.watch(name, position=number)
            process.say("b")
            process.do(after=0.1)
            assert process.posts.events(name) == [(number + 1, "delta")]
        assert process.posts.events("one") == [(2, "delta"), (3, "delta")]

    def test_the_subscriptions_of_a_watched_log_are_read_every_two_seconds(self, process: Process) -> None:
        process.watch("one")
        assert reads_in_three_seconds(process) == pytest.approx([0, 2000], abs=50)

    def test_they_are_not_read_again_if_all_connections_are_gone(self, process: Process) -> None:
        process.core.log.mark_watched(process.job.id, expires_at=2**40)
        assert reads_in_three_seconds(process) == [0]
        assert not process.announcer._topics[process.topic].ring

    def test_a_subscription_that_is_stored_while_they_are_read_is_found(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.announcer.step()
        read = process.started.pop()
        process.watch("two", position=1)
        process.say("b")
        process.announcer.step()
        assert process.started == []
        found = process.subscriptions.of_topic
        process.subscriptions.of_topic = lambda *_, **__: found(str(process.topic))[:1]  # type: ignore[method-assign]
        read()
        process.subscriptions.of_topic = found  # type: ignore[method-assign]
        assert not process.announcer._is_quiet()
        process.do()
        assert process.posts.events("two") == [(2, "delta")]

    def test_a_process_that_begins_later_knows_of_the_subscriptions(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.do()
        other = Process(process.core, process.job)
        other.say("b")
        other.do()
        assert other.posts.events("one") == [(1, "delta"), (2, "delta")]

    def test_they_are_read_again_after_a_defect(self, process: Process) -> None:
        process.watch("one")
        process.subscriptions.fault = ValueError("a defect")
        process.say("a")
        assert process.do() == pytest.approx(2)
        process.do(after=2)
        assert process.posts.events("one") == [(1, "delta")]

    def test_nothing_is_read_while_nothing_is_appended(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.do()
        assert process.do(after=5) is None
        assert process.do(after=60) is None
        assert process.subscriptions.reads == 1

    def test_an_unsubscribed_connection_gets_nothing_more(self, process: Process) -> None:
        process.watch("one")
        process.say("a")
        process.do()
        process.core.connection_registry.drop_topic("one", str(process.topic))
        process.say("b")
        process.do(after=2)
        process.say("c")
        process.do(after=2)
        assert (3, "delta") not in process.posts.events("one")

    def test_subscriptions_that_could_not_be_read_are_read_again(self, process: Process) -> None:
        process.watch("one")
        process.subscriptions.fault = StorageUnavailable("the database could not be reached")
        process.say("a")
        process.do()
        assert process.posts.sent == {}
        process.do(after=1)
        assert process.posts.events("one") == [(1, "delta")]

    def test_a_flush_waits_for_subscriptions_that_could_not_be_read(self, process: Process) -> None:
        process.watch("one")
        process.subscriptions.fault = StorageUnavailable("the database could not be reached")
        process.say("a")
        process.do()
        flushing = threading.Thread(target=process.announcer.flush, args=(PATIENCE,))
        flushing.start()
        while not process.announcer._flushing:
            assert flushing.is_alive()
            flushing.join(0.001)
        process.do(after=1)
        flushing.join(PATIENCE)
        assert process.posts.events("one") == [(1, "delta")]

    def test_a_topic_whose_subscriptions_could_not_be_read_is_not_forgotten(self, process: Process) -> None:
        process.watch("one")
        for _ in range(30):
            process.subscriptions.fault = StorageUnavailable("the database could not be reached")
            if process.now == 100.0:
                process.say("a")
            process.do(after=0.5)
        process.subscriptions.fault = None
        process.do(after=0.5)
        assert process.posts.events("one") == [(1, "delta")]


class TestConnectionsInTrouble:
    def test_a_connection_that_has_ended_is_removed_with_its_subscriptions_and_its_slot(self, process: Process) -> None:
        process.watch("one", "two")
        process.posts.gone.add("one")
        process.say("a")
        process.do()
        assert process.core.ports.connections.get("one") is None
        assert [each.connection_id for each in process.subscriptions.of_topic(str(process.topic))] == ["two"]
        for number in range(9):
            process.core.connection_registry.open(f"tab{number}", owner="ada", tab=f"tab{number}", until=2**40)
        process.say("b")
        process.do(after=0.3)
        assert process.posts.events("two") == [(1, "delta"), (2, "delta")]

    def test_a_subscription_that_was_stored_after_its_connection_was_removed_goes_too(self, process: Process) -> None:
        orphan = Subscription(topic=str(process.topic), connection_id="gone", position=0)
        process.subscriptions.put(orphan, expires_at=2**40)
        process.core.log.mark_watched(process.job.id, expires_at=2**40)
        process.posts.gone.add("gone")
        process.say("a")
        process.do()
        assert process.subscriptions.of_topic(str(process.topic)) == []

    def test_a_refused_post_is_repeated_later_with_everything_since(
        self, process: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(random, "uniform", lambda _, longest: longest)
        process.watch("one", "two")
        process.posts.faults["one"] = [
            StorageThrottled("too many"),
            StorageThrottled("too many"),
            StorageUnavailable("down"),
        ]
        process.say("a")
        process.do()
        process.say("b")
        waits = [process.do(after=after) for after in (0.0, 0.2, 0.4)]
        assert process.posts.sent["one"] == []
        assert waits[-1] == pytest.approx(0.8)
        process.do(after=0.8)
        assert [[seq for seq, _ in message["events"]] for message in process.posts.sent["one"]] == [[1, 2]]
        assert process.posts.events("two") == [(1, "delta"), (2, "delta")]

    def test_a_defect_while_sending_leaves_the_event_to_the_pings(self, process: Process) -> None:
        process.watch("one")
        process.posts.faults["one"] = [ValueError("a defect")]
        process.say("a")
        process.do()
        process.say("b")
        process.do(after=0.1)
        assert process.posts.events("one") == [(2, "delta")]

    def test_a_slow_connection_has_one_post_in_flight_and_delays_no_other(self, process: Process) -> None:
        process.watch("slow", "quick")
        process.say("a")
        process.announcer.step()
        process.started.pop(0)()  # the subscriptions are read
        process.announcer.step()
        slow, quick = process.started
        process.started.clear()
        quick()
        process.say("b", "c")
        process.do(after=0.3)
        process.do(after=0.3)
        assert process.posts.events("quick") == [(1, "delta"), (2, "delta"), (3, "delta")]
        assert process.posts.sent["slow"] == []
        slow()
        process.do(after=0.1)
        assert [len(message["events"]) for message in process.posts.sent["slow"]] == [3]


class TestThreads:
    def announcer(self, core: FakeCore) -> Announcer:
        return Announcer(
            sources=core.topic_sources,
            subscriptions=core.ports.subscriptions,
            posts=core.ports.channel_posts,
            remove=core.connection_registry.remove,
        )

    def test_a_flush_returns_when_everything_was_sent(self) -> None:
        process = Process(FakeCore())
        process.watch("one", "two")
        announcer = self.announcer(process.core)
        for seq in range(1, 4):
            announcer.notice(process.topic, seq, [Delta(text="x")])
        announcer.flush(PATIENCE)
        for name in ("one", "two"):
            assert process.posts.events(name) == [(seq, "delta") for seq in range(1, 4)]

    def test_a_flush_waits_for_no_longer_than_it_may(self, monkeypatch: pytest.MonkeyPatch) -> None:
        process = Process(FakeCore())
        process.watch("one")
        ends = threading.Event()

        def hang(_: str, *, consistent: bool) -> Sequence[Subscription]:
            ends.wait(PATIENCE)
            return ()

        monkeypatch.setattr(process.subscriptions, "of_topic", hang)
        announcer = self.announcer(process.core)
        announcer.notice(process.topic, 1, [Delta(text="x")])
        announcer.flush(0.01)
        assert process.posts.sent == {}
        ends.set()
        announcer.flush(PATIENCE)

    def test_a_flush_without_a_notice_does_nothing(self) -> None:
        self.announcer(FakeCore()).flush(PATIENCE)

    def test_the_thread_is_not_woken_for_events_that_nobody_watches(
        self, unmarked: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = unmarked
        signals: list[float] = []
        monkeypatch.setattr(process.announcer, "_signal", lambda: signals.append(process.now))
        process.say("a")
        process.do()
        process.say("b")
        wait = process.do()
        signals.clear()

        process.say("c", "d")
        assert signals == []
        process.watch("one", position=2)
        process.do(after=wait or 0.0)
        assert [seq for seq, _ in process.posts.sent["one"][0]["events"]] == [3, 4]
        signals.clear()
        process.say("e")
        assert len(signals) == 1

    def test_what_no_thread_could_do_is_done_later(self, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: object) -> None:
            raise RuntimeError("can't start new thread")

        process.watch("one")
        for what in ("read", "sent"):
            with monkeypatch.context() as patch:
                patch.setattr(process.announcer, "_given_submit", refuse)
                process.say(what)
                process.do(after=1)
            process.do(after=1)
        assert process.posts.events("one") == [(1, "delta"), (2, "delta")]
        process.announcer.flush(0)

    def test_a_thread_that_could_not_be_started_is_started_with_the_next_event(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        process = Process(FakeCore())
        process.watch("one")
        announcer = self.announcer(process.core)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            announcer.notice(process.topic, 1, [Delta(text="x")])
            announcer.flush(0)
        announcer.flush(PATIENCE)
        assert process.posts.events("one") == [(1, "delta")]

    def test_a_notice_never_raises(self, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> None:
            raise RuntimeError("no thread can be started")

        monkeypatch.setattr(process.announcer, "_signal", broken)
        process.say("a")
        assert process.core.log.tail(process.job.id).seq == 1


def test_a_core_without_a_channel_announces_nothing() -> None:
    core = FakeCore()
    assert core.event_log is core.ports.event_log
    core.announcer.notice(Topic.of_job("job_a"), 1, [Delta(text="a")])
    core.flush_announcements()
    assert core.ports.subscriptions.reads == 0


def test_a_core_with_a_channel_announces_what_its_services_append() -> None:
    core = FakeCore(has_channel=True)
    job = core.new_job()
    core.connection_registry.open("one", owner="ada", tab="tab", until=2**40)
    subscription = Subscription(topic=f"job:{job.id}", connection_id="one", position=0)
    core.ports.subscriptions.put(subscription, expires_at=2**40)
    core.log.mark_watched(job.id, expires_at=2**40)
    core.job_cancellation.cancel("ada", job.id)
    core.announcer.flush(PATIENCE)
    assert core.ports.channel_posts.events("one") == [(1, "cancelled")]
