"""Whatever happens to messages on their way, a client that follows docs/channel.md sees exactly the log.

Posts are delayed, lost, repeated and put out of order, processes die with what they have not sent, and connections end.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.channel.catch_up import CatchUp
from shared.channel.messages import Ping, Subscribe
from shared.channel.posts import ConnectionGone
from shared.log.events import StoredReset
from shared.log.transcript import Transcript
from tests.fakes.core import FakeCore
from tests.unit.channel.test_announcer import Process


class Network:
    """Implements ChannelPosts: keeps messages until the test lets them arrive, loses them or repeats them."""

    def __init__(self) -> None:
        self.on_the_way: list[tuple[str, dict[str, Any]]] = []
        self.open: set[str] = set()

    def post(self, connection_id: str, message: str) -> None:
        if connection_id not in self.open:
            raise ConnectionGone
        self.on_the_way.append((connection_id, json.loads(message)))

    def close(self, connection_id: str) -> None:
        self.open.discard(connection_id)


class Client:
    """The client's part: it applies events by their numbers. `wants` is True when it has to subscribe again."""

    def __init__(self) -> None:
        self.last = 0
        self.text = ""
        self.applied: Counter[int] = Counter()
        self.held: dict[int, dict[str, Any]] = {}
        self.wants = True

    def receive(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "events":
                for seq, event in message["events"]:
                    self._receive(seq, event)
            case "behind":
                self.wants = True
            case "pong" if not message["tails"]:
                self.wants = True

    def _receive(self, seq: int, event: dict[str, Any]) -> None:
        if seq <= self.last:
            return
        if event["type"] == "snapshot" or seq == self.last + 1:
            self._apply(seq, event)
        else:
            self.held[seq] = event
        while self.last + 1 in self.held:
            self._apply(self.last + 1, self.held.pop(self.last + 1))

    def _apply(self, seq: int, event: dict[str, Any]) -> None:
        self.last = seq
        self.applied[seq] += 1
        self.held = {each: held for each, held in self.held.items() if each > seq}
        match event["type"]:
            case "delta":
                self.text += event["text"]
            case "reset" | "snapshot":
                self.text = event["text"]

    def wait(self) -> None:
        """Let 300 ms pass: what is missing before a held event does not come any more."""
        if self.held:
            self.held, self.wants = {}, True


class Delivery(RuleBasedStateMachine):
    """Two processes append to one job, and one client watches it over a network that does what it likes."""

    @initialize()
    def begin(self) -> None:
        self.core = FakeCore()
        self.network = Network()
        self.core.ports.channel_posts = self.network  # type: ignore[assignment]
        self.job = self.core.new_job()
        self.processes = [Process(self.core, self.job) for _ in range(2)]
        self.client = Client()
        self.connections = 0
        self.connect()

    @property
    def name(self) -> str:
        return f"connection{self.connections}"

    def connect(self) -> None:
        self.connections += 1
        self.core.clock.advance(120)
        self.network.open = {self.name}
        self.core.connection_registry.open(self.name, owner="ada", tab="tab", until=2**40)
        self.client.wants = True

    # ---- what processes do ---------------------------------------------------------------------------------------

    @rule(process=st.integers(0, 1), count=st.integers(1, 6))
    def append(self, process: int, count: int) -> None:
        for _ in range(count):
            self.processes[process].say("x")

    @rule(process=st.integers(0, 1), kept=st.integers(0, 3))
    def reset(self, process: int, kept: int) -> None:
        length = len(self.transcript().text)
        fields = {"progress": 0, "reason": "REPAIR", "message": "again", "attempt": 1, "retry_count": 0}
        self.processes[process].append(StoredReset.model_validate({**fields, "kept_characters": min(kept, length)}))

    @rule(process=st.integers(0, 1), after=st.sampled_from([0.0, 0.05, 0.1, 0.3, 1.0]))
    def send(self, process: int, after: float) -> None:
        self.processes[process].do(after=after)

    @rule(process=st.integers(0, 1))
    def die(self, process: int) -> None:
        """Lose everything that the process has appended and not sent."""
        self.processes[process] = Process(self.core, self.job)

    # ---- what the network does -----------------------------------------------------------------------------------

    @rule(data=st.data(), fate=st.sampled_from(["arrive", "arrive", "arrive", "repeat", "lose"]))
    def deliver(self, data: st.DataObject, fate: str) -> None:
        if not self.network.on_the_way:
            return
        place = data.draw(st.integers(0, len(self.network.on_the_way) - 1))
        connection_id, message = self.network.on_the_way[place]
        if fate != "repeat":
            del self.network.on_the_way[place]
        if fate != "lose" and connection_id in self.network.open:
            self.client.receive(message)

    @rule(process=st.integers(0, 1))
    def go_well(self, process: int) -> None:
        """Let the process send what is due, and let all of it arrive."""
        self.processes[process].do(after=1)
        self.deliver_all()

    @rule()
    def cut(self) -> None:
        self.network.on_the_way.clear()
        self.connect()

    # ---- what the client does ------------------------------------------------------------------------------------

    @rule()
    def subscribe(self) -> None:
        self.client.wait()
        if self.client.wants:
            self.client.wants = False
            self._subscribe()

    @rule()
    def ping(self) -> None:
        connection = self.core.ports.connections.get(self.name)
        assert connection is not None
        self.core.clock.advance(10)
        self.core.pings.answer(connection, Ping(id="1", positions={f"job:{self.job.id}": self.client.last}))

    def _subscribe(self) -> None:
        connection = self.core.ports.connections.get(self.name)
        assert connection is not None
        CatchUp(
            sources=self.core.topic_sources,
            registry=self.core.connection_registry,
            subscriptions=self.core.ports.subscriptions,
            posts=self.network,
            sleep=lambda _: None,
        ).subscribe(connection, Subscribe(id="1", topic=f"job:{self.job.id}", after=self.client.last))

    # ---- what must be true ---------------------------------------------------------------------------------------

    def transcript(self) -> Transcript:
        return self.core.transcript(self.job)

    @invariant()
    def no_event_is_applied_twice(self) -> None:
        if hasattr(self, "client"):
            assert max(self.client.applied.values(), default=1) == 1

    def teardown(self) -> None:
        """When the network is well again, one ping brings the client to the end of the log."""
        if not hasattr(self, "client"):
            return
        for _ in range(3):
            self.deliver_all()
            self.subscribe()
            self.deliver_all()
            self.ping()
        self.deliver_all()
        written = self.transcript()
        assert (self.client.last, self.client.text) == (written.seq, written.text)

    def deliver_all(self) -> None:
        while self.network.on_the_way:
            connection_id, message = self.network.on_the_way.pop(0)
            if connection_id in self.network.open:
                self.client.receive(message)


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_the_client_of_this_test_needs_its_rules() -> None:
    """A client that applies whatever comes would show another text."""
    client = Client()
    for message in (
        {"type": "events", "events": [[2, {"type": "delta", "text": "b"}]]},
        {"type": "events", "events": [[1, {"type": "delta", "text": "a"}], [2, {"type": "delta", "text": "b"}]]},
    ):
        client.receive(message)
    assert client.text == "ab"
