"""No event is lost between a subscription and the process that appends next, in whatever order their requests arrive.

Nothing fails here and no ping is sent, so whatever the marks do not tell a process would be missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channel.announcing_log import AnnouncingEventLog
from shared.channel.messages import Subscribe, Unsubscribe
from shared.log.event_log import Batch, LogTail, SequenceTaken
from shared.log.events import Delta
from shared.log.fence import Fence
from tests.fakes.clock import NOON
from tests.fakes.core import FakeCore
from tests.unit.channel.test_announcer import Process

CONNECTIONS = ("one", "two")

Act = tuple[str, int]
"""What is done, and by which of two processes or connections."""

ACTS = ("append", "append", "send", "send", "wait", "wait", "subscribe", "replace", "unsubscribe")
acts = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 1)), max_size=40)


class World:
    """Two processes append to one job and two connections follow it. Before and after each request another may come."""

    def __init__(self, plan: list[Act], *, most_deep: int = 3) -> None:
        """`most_deep`: how many requests may be interrupted at once, each by the next one."""
        self.plan = deque(plan)
        self.most_deep = most_deep
        self.deep = 0
        self.core = FakeCore()
        self.job = self.core.new_job()
        self.subscribed: set[str] = set()
        self.tail = self.core.log.tail
        for name in CONNECTIONS:
            self.core.connection_registry.open(name, owner="ada", tab=name, until=2**40)
        for port, names in (
            (self.core.log, ("append", "mark_watched", "read", "tail")),
            (self.core.ports.subscriptions, ("put", "remove", "of_topic")),
        ):
            for name in names:
                setattr(port, name, self.interrupted(getattr(port, name)))
        self.processes = [Process(self.core, self.job) for _ in range(2)]
        self.tails = [LogTail(), LogTail()]
        self.appending = [False, False]

    def interrupted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def between_others(*arguments: Any, **options: Any) -> Any:
            self.act()
            returned = call(*arguments, **options)
            self.act()
            return returned

        return between_others

    def act(self) -> None:
        if self.plan and self.deep < self.most_deep:
            what, which = self.plan.popleft()
            self.deep += 1
            getattr(self, what)(which)
            self.deep -= 1

    def append(self, which: int) -> None:
        """Append as a writer does: after the end that it knows, and after the log's end if that is taken."""
        if not self.appending[which]:  # a process appends one batch at a time
            self.appending[which] = True
            self._append(which)
            self.appending[which] = False

    def _append(self, which: int) -> None:
        log = AnnouncingEventLog(self.core.log, self.processes[which].announcer)
        while True:
            tail = self.tails[which]
            fence, at = Fence.of_resumption(1), self.job.expires_at
            text = Delta(text=f"{which} {len(self.plan)} {tail.seq} {self.deep}")
            batch = Batch(tail.seq + 1, (text,), fence, NOON, watched=tail.watched, expires_at=at)
            try:
                watched = log.append(self.job.id, batch)
            except SequenceTaken:
                self.tails[which] = self.core.log.tail(self.job.id)
            else:
                self.tails[which] = LogTail(batch.last, 0, fence, watched=watched)
                return

    def send(self, which: int) -> None:
        self.processes[which].do(after=0.1)

    def wait(self, _: int) -> None:
        """Let nothing happen here."""

    def replace(self, which: int) -> None:
        """End the invocation of a process and let another one take over, unless this comes during its own request."""
        before = self.processes[which]
        before.do(after=5)
        if self.appending[which] or not before.announcer._is_quiet():
            return
        self.processes[which], self.tails[which] = Process(self.core, self.job), self.tail(self.job.id)

    def subscribe(self, which: int) -> None:
        name = CONNECTIONS[which]
        if name in self.subscribed:
            return
        self.subscribed.add(name)
        connection = self.core.ports.connections.get(name)
        assert connection is not None
        self.core.catch_up.subscribe(connection, Subscribe(id="1", topic=f"job:{self.job.id}", after=0))

    def unsubscribe(self, _: int) -> None:
        """Unsubscribe a third connection, which changes nothing for the others."""
        self.core.connection_registry.open("three", owner="bob", tab="three", until=2**40)
        connection = self.core.ports.connections.get("three")
        assert connection is not None
        self.core.catch_up.unsubscribe(connection, Unsubscribe(id="2", topic=f"job:{self.job.id}"))

    def end(self) -> None:
        while self.plan:
            self.act()
        for process in self.processes:
            process.do(after=5)
            assert process.announcer._is_quiet()


@settings(max_examples=200, deadline=None)
@given(plan=acts, most_deep=st.integers(1, 3))
def test_every_subscriber_gets_every_event_without_a_ping(plan: list[Act], most_deep: int) -> None:
    world = World(plan, most_deep=most_deep)
    world.end()
    count = len(world.core.log.appends)
    for name in world.subscribed:
        found = {seq for seq, _ in world.core.ports.channel_posts.events(name)}
        assert found == set(range(1, count + 1)), plan


@pytest.mark.parametrize("gap", range(4))
@pytest.mark.parametrize("place", range(16))
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_appended_and_sent_during_any_request_of_a_subscription_arrives(
    which: int, place: int, gap: int
) -> None:
    world = World([], most_deep=1)
    world.append(which)
    world.plan = deque(
        [*[("wait", 0)] * place, ("append", which), ("send", which), *[("wait", 0)] * gap, ("append", 1 - which)]
    )
    world.subscribe(0)
    world.end()
    world.append(which)
    world.end()
    assert {seq for seq, _ in world.core.ports.channel_posts.events("one")} == {1, 2, 3, 4}
