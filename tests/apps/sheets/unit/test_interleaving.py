"""Whatever happens at the same time, every subscriber gets every event once and in order, of jobs and of sessions.

Each part is run by one thread. Before a part calls a port, another part may run, be killed, or both: so two parts
interleave at every point at which one can observe the other.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from shared.apps.sheets import moves
from shared.apps.sheets.announcing_store import AnnouncingSessionStore
from shared.apps.sheets.session import StateChanged
from shared.apps.sheets.session_topics import SessionTopics
from shared.channel.announcer import Announcer
from shared.channel.announcing_log import AnnouncingEventLog
from shared.channel.catch_up import CatchUp
from shared.channel.connections import Connection, MustClose
from shared.channel.messages import Ping, Subscribe, Unsubscribe
from shared.channel.posts import ConnectionGone
from shared.errors import StorageThrottled, StorageUnavailable, TransientFault
from shared.log.event_log import Batch
from shared.log.events import Delta
from shared.log.fence import Fence
from tests.apps.sheets.session_world import FILE, OWNER, SessionWorld
from tests.fakes.clock import NOON
from tests.fakes.core import FakeCore
from tests.fakes.sessions import FakeSessionStore

PROCESSES = 2
MOST_DEEP = 2
ACTS = ("append", "send", "deliver", "ping", "subscribe", "unsubscribe", "cut", "kill")

Act = tuple[int, str, int, int]
"""How many calls of ports come before it without an interruption, what is done, and by which client and process."""

which = st.integers(0, 1)
meanwhile = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(ACTS), which, which), max_size=8)


class Killed(BaseException):
    """The process that runs this was killed."""


class Interrupted:
    """A port. Before a call of it, or after, another part of the world may run."""

    def __init__(self, port: Any, world: Interleaving, *, after: bool = False) -> None:
        self._port = port
        self._world = world
        self._after = after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if not self._after:
                self._world.let_others_run()
            returned = method(*arguments, **options)
            if self._after:
                self._world.let_others_run()
            return returned

        return call


class Network:
    """Implements ChannelPosts. `faults` are those of the next posts: a fault can come before or after the message."""

    def __init__(self) -> None:
        self.on_the_way: dict[str, list[dict[str, Any]]] = {}
        self.faults: deque[str] = deque()

    def post(self, connection_id: str, message: str) -> None:
        fault = self.faults.popleft() if self.faults else ""
        if fault == "refused":
            raise StorageThrottled("too many messages")
        if connection_id not in self.on_the_way:
            raise ConnectionGone
        self.on_the_way[connection_id].append(json.loads(message))
        if fault == "unanswered":
            raise StorageUnavailable("the response was lost")

    def close(self, connection_id: str) -> None:
        self.on_the_way.pop(connection_id, None)


class Follower:
    """What one client has of one topic. `wants`: it has to subscribe, for the first time or again."""

    def __init__(self) -> None:
        self.applied: list[int | str] = []
        self.last = 0
        self.held: dict[int, dict[str, Any]] = {}
        self.wants = True

    def receive(self, events: Iterable[tuple[int, dict[str, Any]]]) -> None:
        self.held |= {seq: event for seq, event in events if seq > self.last}
        for seq in sorted(self.held):
            is_snapshot = self.held[seq]["type"] == "snapshot"
            if is_snapshot or seq == self.last + 1:
                self.applied.append("snapshot" if is_snapshot else seq)
                self.last = seq
        self.held = {seq: event for seq, event in self.held.items() if seq > self.last}

    def wait(self) -> None:
        """Let 300 ms pass: what is missing before a held event does not come any more."""
        if self.held:
            self.held, self.wants = {}, True


class Client:
    """A client of two topics on one connection, which follows docs/channel.md."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.name = ""
        self.followers = {topic: Follower() for topic in topics}

    def connected(self, name: str) -> None:
        self.name = name
        for each in self.followers.values():
            each.held, each.wants = {}, True

    def receive(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "events":
                self.followers[message["topic"]].receive(message["events"])
            case "pong":
                for topic, follower in self.followers.items():
                    follower.wants |= topic not in message["tails"]


class Process:
    """A process that appends to both topics, and its announcer. `refuses`: it can start no thread at the moment."""

    def __init__(self, world: Interleaving) -> None:
        self.world = world
        self.started: deque[Callable[[], None]] = deque()
        self.refuses = False
        self.is_busy = False
        core = world.core
        self.announcer = Announcer(
            sources=core.topic_sources,
            subscriptions=core.ports.subscriptions,
            posts=core.ports.channel_posts,
            remove=core.connection_registry.remove,
            monotonic=lambda: world.now,
            submit=self._submit,
        )
        self.log = AnnouncingEventLog(Interrupted(world.core.log, world, after=True), self.announcer)
        self.sessions = AnnouncingSessionStore(Interrupted(world.sessions, world, after=True), self.announcer)

    def _submit(self, start: Callable[[], None]) -> None:
        if self.refuses:
            raise RuntimeError("can't start new thread")
        self.started.append(start)

    def append(self) -> None:
        """Append an event to each topic."""
        world = self.world
        tail = world.core.log.tail(world.job.id)
        batch = Batch(
            tail.seq + 1,
            (Delta(text="x"),),
            Fence.of_resumption(1),
            NOON,
            watched=tail.watched,
            expires_at=world.job.expires_at,
        )
        self.log.append(world.job.id, batch)
        session = world.sessions.get(world.session.id)
        assert session is not None
        self.sessions.save(moves.changed(session, session.updated_at, StateChanged(state=session.state)))

    def send(self) -> None:
        """Do what is due, and what follows from that."""
        self.announcer.step()
        while self.started:
            self.started.popleft()()
            self.announcer.step()


class Interleaving(RuleBasedStateMachine):
    """Two processes append and send, and two clients follow, while all of it fails in every way that pings repair."""

    @initialize()
    def begin(self) -> None:
        self.now = 100.0
        self.plan: deque[Act] = deque()
        self.depth = 0
        self.core = FakeCore()
        self.job = self.core.new_job(owner=OWNER)
        self.sessions = FakeSessionStore()
        self.session, _ = SessionWorld(sessions=self.sessions).uploads.create(OWNER, None, FILE)
        self.network = Network()
        self.stored = self.core.ports.subscriptions
        self.connected = self.core.ports.connections
        self._interrupt(self.core.ports)
        self.processes = [Process(self) for _ in range(PROCESSES)]
        topics = [f"job:{self.job.id}", f"session:{self.session.id}"]
        self.clients = [Client(topics), Client(reversed(topics))]
        self.connections = 0
        for each in range(len(self.clients)):
            self.cut(each)

    def _interrupt(self, ports: Any) -> None:
        """Let others run before each call of the ports that the channel uses."""
        ports.channel_posts = Interrupted(self.network, self)
        ports.subscriptions = Interrupted(self.stored, self)
        ports.connections = Interrupted(ports.connections, self)
        ports.event_log = Interrupted(self.core.log, self)
        ports.application_topics = ("session",)
        ports.topic_source = lambda _: SessionTopics(Interrupted(self.sessions, self))

    def let_others_run(self) -> None:
        """Do the next thing of the plan. What it does can be interrupted too, once."""
        if not self.plan or self.depth == MOST_DEEP:
            return
        calls, what, client, process = self.plan.popleft()
        if calls > 0:
            self.plan.appendleft((calls - 1, what, client, process))
            return
        if what == "kill":
            raise Killed
        self.depth += 1
        try:
            self._do(what, client, process)
        finally:
            self.depth -= 1

    def _do(self, what: str, client: int, process: int) -> None:
        match what:
            case "append" | "send":
                self._run_process(process, what)
            case "ping" | "unsubscribe" | "subscribe":
                self._run_message(self.clients[client], what)
            case "deliver":
                self.deliver(client)
            case "cut":
                self.cut(client)

    # ---- what processes do ---------------------------------------------------------------------------------------

    @rule(process=which, plan=meanwhile)
    def append(self, process: int, plan: list[Act]) -> None:
        self.plan = deque(plan)
        self._run_process(process, "append")

    @rule(process=which, plan=meanwhile, after=st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0]))
    def send(self, process: int, plan: list[Act], after: float) -> None:
        self.now += after
        self.plan = deque(plan)
        self._run_process(process, "send")

    @rule(process=which)
    def run_out_of_threads(self, process: int) -> None:
        """Let the process start no thread until it sends the next time."""
        self.processes[process].refuses = True
        self._run_process(process, "send")
        self.processes[process].refuses = False

    @rule()
    def fail_to_read_subscriptions(self) -> None:
        self.stored.fault = StorageUnavailable("the database could not be reached")

    @rule(fault=st.sampled_from(["refused", "unanswered"]))
    def fail_to_post(self, fault: str) -> None:
        self.network.faults.append(fault)

    def _run_process(self, number: int, what: str) -> None:
        process = self.processes[number]
        if process.is_busy:  # its one thread is interrupted at this moment
            return
        process.is_busy = True
        try:
            process.append() if what == "append" else process.send()
        except Killed:
            self.processes[number] = Process(self)
        finally:
            process.is_busy = False

    # ---- what clients do -----------------------------------------------------------------------------------------

    @rule(client=which, plan=meanwhile)
    def subscribe(self, client: int, plan: list[Act]) -> None:
        self.plan = deque(plan)
        self._run_message(self.clients[client], "subscribe")

    @rule(client=which, plan=meanwhile)
    def ping(self, client: int, plan: list[Act]) -> None:
        self.plan = deque(plan)
        self._run_message(self.clients[client], "ping")

    @rule(client=which)
    def deliver(self, client: int) -> None:
        """Let the client receive the next message."""
        messages = self.network.on_the_way.get(self.clients[client].name)
        if messages:
            self.clients[client].receive(messages.pop(0))

    @rule(client=which)
    def cut(self, client: int) -> None:
        """End the client's connection; its `$disconnect` is lost. Let the client open another."""
        self.connections += 1
        name = f"connection{self.connections}"
        self.network.close(self.clients[client].name)
        fields = {"owner": OWNER, "tab": name, "until": 2**40, "opened_at": 0, "renewed_at": 0}
        self.connected.put_new(Connection(id=name, **fields))
        self.network.on_the_way[name] = []
        self.clients[client].connected(name)

    def _run_message(self, client: Client, kind: str) -> None:
        """Run the function of a message of the client, if the client would send it."""
        connection = self.connected.get(client.name)
        if connection is None:
            return
        with contextlib.suppress(Killed, TransientFault):  # the client pings, or sends the message again
            try:
                self._serve(client, connection, kind)
            except (ConnectionGone, MustClose):
                self.core.connection_registry.remove(connection.id)

    def _serve(self, client: Client, connection: Connection, kind: str) -> None:
        if kind == "ping":
            positions = {topic: follower.last for topic, follower in client.followers.items()}
            self.core.pings.answer(connection, Ping(id="1", positions=positions))
            return
        for topic, follower in client.followers.items():
            self._ask(connection, topic, follower, kind)

    def _ask(self, connection: Connection, topic: str, follower: Follower, kind: str) -> None:
        follower.wait()
        if kind == "unsubscribe":
            # A client whose page is left and opened again: the two messages can run in any order.
            self._catch_up().unsubscribe(connection, Unsubscribe(id="1", topic=topic))
            follower.wants = True
        elif follower.wants:
            follower.wants = False
            try:
                self._catch_up().subscribe(connection, Subscribe(id="1", topic=topic, after=follower.last))
            except TransientFault:
                follower.wants = True
                raise

    def _catch_up(self) -> CatchUp:
        def sleep(seconds: float) -> None:
            self.now += seconds
            self.let_others_run()

        return CatchUp(
            sources=self.core.topic_sources,
            registry=self.core.connection_registry,
            subscriptions=self.core.ports.subscriptions,
            posts=self.core.ports.channel_posts,
            sleep=sleep,
        )

    # ---- what must be true ---------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """After a quiet time and one ping each, every client has everything, and is sent what is appended then."""
        if not hasattr(self, "clients"):
            return
        self.plan.clear()
        self.network.faults.clear()
        self.stored.fault = None
        self._calm_down()
        for client in self.clients:
            self._run_message(client, "ping")
            self._calm_down()
        self._check()
        for process in self.processes:
            process.append()
            self._calm_down()
            self._check()

    def _calm_down(self) -> None:
        """Let everything happen that happens without another ping."""
        for _ in range(3):
            for process in self.processes:
                self.now += 2
                process.send()
            for number, client in enumerate(self.clients):
                while self.network.on_the_way[client.name]:
                    self.deliver(number)
                self._run_message(client, "subscribe")

    def _check(self) -> None:
        session = self.sessions.get(self.session.id)
        assert session is not None
        tails = {f"job:{self.job.id}": self.core.log.tail(self.job.id).seq, f"session:{self.session.id}": session.seq}
        for client in self.clients:
            for topic, follower in client.followers.items():
                assert follower.applied == [*range(1, tails[topic] + 1)], topic


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("interrupted", ["subscribe", "ping", "send"])
@pytest.mark.parametrize("client", [0, 1])
def test_every_interruption_of_what_follows_a_topic_is_repaired(interrupted: str, act: str, client: int) -> None:
    """Interrupt it once, at each of its calls of ports in turn."""
    for calls in itertools.count():
        world = Interleaving()
        world.begin()
        if interrupted != "subscribe":
            world.subscribe(client=client, plan=[])
            world.append(process=0, plan=[])
        plan = [(calls, act, client, 1)]
        if interrupted == "send":
            world.send(process=0, plan=plan, after=0.0)
        else:
            getattr(world, interrupted)(client=client, plan=plan)
        was_interrupted = not world.plan
        world.teardown()
        if not was_interrupted:
            return
