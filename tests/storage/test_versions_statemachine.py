"""No interleaving of writers, crashes and lost data that Hypothesis finds forks, loses or doubles a version."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.apps.sheets.addresses import Cell
from shared.apps.sheets.blocks import decode_block
from shared.apps.sheets.cells import EMPTY, CellContent
from shared.apps.sheets.history import History
from shared.apps.sheets.maps import decode_map
from shared.apps.sheets.ops import CellWrite, WriteCells
from shared.apps.sheets.publishing import Change, Publishing
from shared.apps.sheets.session import (
    ChatMessage,
    MessageAdded,
    Session,
    SessionState,
    StateChanged,
    Version,
    VersionPublished,
)
from shared.apps.sheets.session_id import new_session_id
from shared.apps.sheets.session_store import (
    SessionChange,
    SessionStore,
)
from shared.errors import Conflict, StorageUnavailable
from shared.jobs.store import PreparedWrites
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.sessions import FakeSessionStore
from tests.fakes.workbook import FakeEngine
from tests.fakes.workbook_data import FakeWorkbookData
from tests.storage.machines import run_machine
from tests.storage.ports import AwsServer, adapters
from tests.storage.test_sessions import a_session

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

JOB = "job_a1"
ADDRESSES = st.sampled_from(["A1", "B2", "A600"])  # the last one is in another block
VALUES = st.integers(0, 3) | st.booleans() | st.sampled_from(["1", "=A1", "é🎼", None])
ORIGINS = st.sampled_from([f"{JOB}:1-call-{number}" for number in range(3)])
BREAKS = st.none() | st.integers(0, 7)
"""Before which storage call the process is killed; None for never."""

Content = dict[Cell, CellContent]


class Killed(Exception):
    """The process has ended."""


@dataclass
class Stores:
    """The two ports, which kill the process that calls them, lose responses, and let others in between two calls."""

    sessions: SessionStore
    data: FakeWorkbookData
    calls: int = 0
    dies_at: int | None = None
    loses_answer: bool = False
    meanwhile: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.data.before_put = lambda _: self.step()

    def step(self) -> None:
        """Do what is planned before the next storage call."""
        if self.dies_at is not None and self.calls == self.dies_at:
            raise Killed
        self.calls += 1
        other, self.meanwhile = self.meanwhile, None
        if other is not None and self.calls > 2:
            other()
        elif other is not None:
            self.meanwhile = other


@dataclass
class WatchedSessions:
    """Implements what versions need of SessionStore, on the store under test."""

    stores: Stores

    def save(self, change: SessionChange, *, also: PreparedWrites | None = None) -> None:
        self.stores.step()
        self.stores.sessions.save(change, also=also)
        if self.stores.loses_answer:
            self.stores.loses_answer = False
            raise StorageUnavailable("the response was lost")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.stores.sessions, name)

        def call(*args: Any, **fields: Any) -> Any:
            self.stores.step()
            return method(*args, **fields)

        return call


@dataclass(frozen=True)
class Model:
    """What a version should contain, and what undo and redo should lead to from there, the next one last."""

    now: Content
    past: tuple[Content, ...] = ()
    future: tuple[Content, ...] = ()


class VersionMachine(RuleBasedStateMachine):
    make_store: Callable[[], SessionStore]

    def __init__(self) -> None:
        super().__init__()
        self.clock = SettableClock()
        self.engine = FakeEngine()
        self.store = self.make_store()
        self.data = FakeWorkbookData(clock=self.clock)
        self.stores = Stores(self.store, self.data)
        sessions: Any = WatchedSessions(self.stores)
        self.publishing = Publishing(sessions=sessions, data=self.data, engine=self.engine, clock=self.clock)
        self.history = History(publishing=self.publishing, sessions=sessions, data=self.data, clock=self.clock)
        self.models: list[Model] = []
        self.lost: set[str] = set()
        self.id = new_session_id(int(NOON.timestamp() * 1000))
        self.create()

    def create(self) -> None:
        session = a_session(id=self.id, seq=1)
        self.store.save(SessionChange(None, session, (StateChanged(state=session.state),)))
        workbook = self.engine.workbook([["x", "y"]])
        publication = self.publishing.load(session, workbook, title="Load")
        change = publication.change_of(session)
        self.store.save(change)
        self.models.append(Model(content_of(workbook)))

    # ---- writers -----------------------------------------------------------------------------------------------------

    @rule(at=ADDRESSES, value=VALUES, dies_at=BREAKS, loses=st.booleans(), others=st.integers(0, 2))
    def write(self, at: str, value: Any, dies_at: int | None, loses: bool, others: int) -> None:
        """Let a person write a cell, while another one does the same, or a message is added."""
        self.during(others)
        self.attempt(lambda session: self.publish(session, at, value), dies_at, loses)

    @rule(origin=ORIGINS, at=ADDRESSES, value=VALUES, dies_at=BREAKS, loses=st.booleans(), others=st.integers(0, 2))
    def call(self, origin: str, at: str, value: Any, dies_at: int | None, loses: bool, others: int) -> None:
        """Let an attempt of the stage make a tool call, for the first time or again."""
        self.during(others)
        self.attempt(lambda session: self.publish(session, at, value, origin=origin), dies_at, loses)

    @rule(origin=ORIGINS, at=ADDRESSES, value=VALUES)
    def call_twice_at_once(self, origin: str, at: str, value: Any) -> None:
        """Let a second attempt make the same call while the first one, which does not know, is in the middle of it."""
        self.stores.meanwhile = lambda: self.publish(self.current, at, value, origin=origin)
        self.attempt(lambda session: self.publish(session, at, value, origin=origin), None, False)

    @rule(dies_at=BREAKS, loses=st.booleans(), others=st.integers(0, 2))
    def undo(self, dies_at: int | None, loses: bool, others: int) -> None:
        self.during(others)
        self.attempt(self.history.undo, dies_at, loses)

    @rule(dies_at=BREAKS, loses=st.booleans(), others=st.integers(0, 2))
    def redo(self, dies_at: int | None, loses: bool, others: int) -> None:
        self.during(others)
        self.attempt(self.history.redo, dies_at, loses)

    @precondition(lambda self: self.current.undo_to is not None)
    @rule()
    def undo_and_redo(self) -> None:
        """Undo and redo without anybody else: the workbook is as it was."""
        before = self.current
        try:
            undone, _ = self.history.undo(before)
        except Conflict:
            assert self.lost, "undo refused a version whose data is stored"
            return
        redone, _ = self.history.redo(undone)
        assert (redone.map, redone.snapshot, redone.sheets) == (before.map, before.snapshot, before.sheets)
        assert (redone.undo_to is None, redone.redo_to is None) == (before.undo_to is None, before.redo_to is None)
        self.look()

    @rule()
    def sweep(self) -> None:
        """Delete what no version needs that is kept: it must change nothing for the head, nor for undo and redo."""
        self.clock.advance(90_000)
        self.data.thin(self.id, self.history.retained(self.current), before=self.clock())

    @precondition(lambda self: len(self.models) > 2)
    @rule(number=st.integers(1, 3), folder=st.sampled_from(["maps", "models", "blocks"]))
    def lose_data(self, number: int, folder: str) -> None:
        """Lose an object of one of the newest versions; the session recovers to a version whose data is whole."""
        keys = sorted(self.data.objects, key=lambda key: (self.data.stored_at[key], key))
        lost = [key for key in keys if f"/{folder}/" in key][-number:]
        self.lost.update(lost)
        for key in lost:
            del self.data.objects[key]
        before = self.current
        failed = before.model_copy(update={"state": SessionState.ERROR, "seq": before.seq + 1})
        self.store.save(SessionChange(before, failed, (StateChanged(state=SessionState.ERROR),)))
        self.attempt(self.recover, None, False)
        if self.current.state is SessionState.ERROR:
            self.load_again()

    # ---- what they do ------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Session:
        found = self.store.get(self.id)
        assert found is not None
        return found

    def publish(self, session: Session, at: str, value: Any, *, origin: str | None = None) -> None:
        workbook = self.publishing.open(session)
        change = Change(
            ops=(WriteCells(sheet="Sheet1", cells=(CellWrite(at=at, value=value),)),),
            by="model" if origin else "user",
            title="Write",
            origin=origin,
            result=lambda applied, number: {"version": number},
        )
        published = self.publishing.publish(session, workbook, workbook.apply(change.ops), change)
        assert content_of(published.workbook) == self.content(published.session)
        if origin is not None:
            assert (published.version.origin, published.version.result) == (
                origin,
                {"version": published.version.number},
            )

    def recover(self, session: Session) -> None:
        found = self.history.recover(session)
        assert found is None or found.state is SessionState.ACTIVE

    def load_again(self) -> None:
        """Load the file again, because no version is whole."""
        session = self.current
        publication = self.publishing.load(session, self.engine.workbook([["x", "y"]]), title="Load")
        self.store.save(publication.change_of(session))
        self.look()

    def during(self, others: int) -> None:
        """Plan what happens in the middle of the next writer's storage calls."""
        plans: list[Callable[[], None] | None] = [None, self.add_message, lambda: self.publish(self.current, "B1", 7)]
        self.stores.meanwhile = plans[others]

    def add_message(self) -> None:
        session = self.current
        after = session.model_copy(update={"seq": session.seq + 1, "messages": session.messages + 1})
        message = ChatMessage(
            session_id=self.id, id=f"m{after.messages:03}", role="user", text="hi", job_id=JOB, created_at=NOON
        )
        self.store.save(SessionChange(session, after, (MessageAdded(message=message),), messages=(message,)))

    def attempt(self, act: Callable[[Session], Any], dies_at: int | None, loses: bool) -> None:
        self.stores.calls, self.stores.dies_at, self.stores.loses_answer = 0, dies_at, loses
        with contextlib.suppress(Killed, StorageUnavailable, Conflict):
            act(self.current)
        self.stores.dies_at, self.stores.loses_answer, self.stores.meanwhile = None, False, None
        self.look()

    # ---- what always holds -------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Check the versions that are new, one by one."""
        session = self.current
        for number in range(len(self.models) + 1, session.version + 1):
            version = self.store.version(self.id, number)
            assert version is not None, "a version was left out"
            self.models.append(self.expected(version))
            last = self.models[-1]
            assert self.content(version) == last.now
            assert (version.undo_to is not None, version.redo_to is not None) == (bool(last.past), bool(last.future))

    def expected(self, version: Version) -> Model:
        """Return what the version must contain, from what it says it is."""
        before = self.models[-1]
        match version.kind:
            case "load":
                return Model(content_of(self.engine.workbook([["x", "y"]])))
            case "change":
                assert version.ops is not None
                workbook = self.engine.workbook()
                workbook._cells[1] = dict(before.now)
                workbook.apply(version.ops)
                return Model(content_of(workbook), (*before.past, before.now))
            case "undo":
                return Model(before.past[-1], before.past[:-1], (*before.future, before.now))
            case "redo":
                return Model(before.future[-1], (*before.past, before.now), before.future[:-1])
            case "recover":
                target = self.models[int(version.title.split()[-1]) - 1]
                return Model(target.now, target.past)

    def content(self, version: Version | Session) -> Content:
        """Return the cells of a version from its blocks; they must be those of its snapshot."""
        assert version.map is not None
        assert version.snapshot is not None
        session_id = self.id
        found = decode_map(self.data.map(session_id, version.map))
        cells: Content = {}
        for row, column, digest in found.sheets[0].blocks:
            for down, cells_of_row in enumerate(decode_block(self.data.block(session_id, digest))):
                for right, cell in enumerate(cells_of_row):
                    if cell != EMPTY:
                        cells[Cell(row + down, column + right)] = cell
        assert exact(cells) == exact(content_of(self.engine.open(self.data.snapshot(session_id, version.snapshot))))
        return cells

    @invariant()
    def the_head_is_the_newest_version(self) -> None:
        session = self.current
        newest = self.store.versions(self.id, limit=1)[0]
        assert (session.version, session.map, session.snapshot) == (newest.number, newest.map, newest.snapshot)
        assert (session.undo_to, session.redo_to) == (newest.undo_to, newest.redo_to)
        assert self.content(session) == self.models[-1].now

    @invariant()
    def events_have_no_gap_and_a_watcher_of_them_has_the_blocks_of_the_head(self) -> None:
        events = self.store.events(self.id, after=0)
        assert [each.seq for each in events] == list(range(1, self.current.seq + 1))
        published = [each.event for each in events if isinstance(each.event, VersionPublished)]
        assert [each.version for each in published] == list(range(1, self.current.version + 1))
        held: dict[tuple[int, int, int], str] = {}
        for event in published:
            if event.kind in {"load", "recover"}:
                held.clear()
            for block in event.blocks or ():
                held.pop((block.sheet, block.row, block.column), None)
                if block.digest is not None:
                    held[block.sheet, block.row, block.column] = block.digest
        head = decode_map(self.data.map(self.id, str(self.current.map)))
        assert held == {
            (sheet.info.id, row, column): digest for sheet in head.sheets for row, column, digest in sheet.blocks
        }

    @invariant()
    def every_call_has_one_version(self) -> None:
        origins = [each.origin for each in self.store.versions(self.id, limit=1000) if each.origin]
        assert len(origins) == len(set(origins))


def content_of(workbook: Any) -> Content:
    return dict(workbook._cells[1])


def exact(content: Content) -> dict[Cell, tuple[type, CellContent]]:
    """Return the cells such that True and 1 differ."""
    return {at: (type(cell.value), cell) for at, cell in content.items()}


def test_no_interleaving_breaks_the_versions_in_memory() -> None:
    run_machine(VersionMachine, make_store=FakeSessionStore, examples=40, steps=25)


def test_no_interleaving_breaks_the_versions_on_dynamodb(server: AwsServer) -> None:
    # Without shrinking, which would take minutes here; the test in memory shrinks what breaks both.
    store = adapters(server).sessions
    run_machine(
        VersionMachine,
        make_store=lambda: store,
        examples=5,
        steps=20,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
