"""The channel's topics of sessions: every event once and in order, announced when it is stored and not before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.apps.sheets import moves
from shared.apps.sheets.announcing_store import AnnouncingSessionStore
from shared.apps.sheets.session import Session, StateChanged
from shared.apps.sheets.session_store import StaleSession
from shared.apps.sheets.session_topics import SessionTopics
from shared.channel.topics import Topic
from shared.errors import Forbidden, NotFound
from shared.log.events import StreamEvent
from tests.apps.sheets.session_world import FILE, OWNER, SessionWorld
from tests.fakes.sessions import FakeSessionStore


class Heard:
    """Implements Announcements: the numbers and types of the announced events by topic."""

    def __init__(self) -> None:
        self.events: dict[str, list[tuple[int, str]]] = {}

    def notice(
        self, topic: Topic, first: int, events: Sequence[StreamEvent | None], *, watched: int | None = None
    ) -> None:
        kinds = [event.type for event in events if event is not None]
        self.events.setdefault(str(topic), []).extend(enumerate(kinds, start=first))

    def flush(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def world(heard: Heard) -> SessionWorld:
    return SessionWorld(sessions=AnnouncingSessionStore(FakeSessionStore(), heard))


def numbered(world: SessionWorld, session: Session) -> list[tuple[int, str]]:
    return [(each.seq, each.event.type) for each in world.store.events(session.id, after=0)]


def test_what_a_session_and_its_jobs_store_is_announced_with_its_numbers(world: SessionWorld, heard: Heard) -> None:
    session = world.active()
    world.finish(world.ask(session))
    world.fail(world.ask(session))
    world.closing.close(OWNER, session.id)
    assert heard.events == {f"session:{session.id}": numbered(world, session)}


def test_a_change_that_is_refused_is_not_announced(world: SessionWorld, heard: Heard) -> None:
    session = world.active()
    world.finish(world.ask(session))
    before = list(heard.events[f"session:{session.id}"])
    with pytest.raises(StaleSession):
        world.store.save(moves.closed(session, world.clock()))
    assert heard.events[f"session:{session.id}"] == before


def frames(reader: Any) -> list[tuple[int, str]]:
    return [(frame.id, frame.event.type) for frame in reader.poll()]


def test_a_reader_returns_every_event_once_from_its_number_on(world: SessionWorld) -> None:
    session = world.active()
    topics = SessionTopics(world.store)
    stored = numbered(world, session)
    for after in range(len(stored) + 1):
        reader = topics.reader(session.id, after=after)
        assert frames(reader) == stored[after:]
        assert (frames(reader), reader.position) == ([], len(stored))
    reader = topics.reader(session.id, after=len(stored))
    job = world.ask(session)
    assert [kind for _, kind in frames(reader)] == ["message", "job"]
    world.finish(job)
    assert [kind for _, kind in frames(reader)] == ["message", "job"]
    assert topics.tail(session.id) == reader.position


def test_events_have_the_fields_of_the_api(world: SessionWorld) -> None:
    session = world.active()
    [*_, published, job] = SessionTopics(world.store).reader(session.id, after=0).poll()
    assert {"type", "version", "changed", "undoTo", "sheets"} <= published.event.model_dump().keys()
    assert job.event.model_dump()["activeJobId"] is None


@pytest.mark.parametrize("kept", [0, 2])
def test_a_snapshot_replaces_events_that_are_gone(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeSessionStore()
    session = store_with_events(store, count=5)
    numbered_events = store.events(session.id, after=0)
    kept_events = numbered_events[5 - kept :]
    monkeypatch.setattr(store, "events", lambda _, *, after: [each for each in kept_events if each.seq > after])
    reader = SessionTopics(store).reader(session.id, after=1)
    assert frames(reader) == [(5 - kept, "snapshot"), *((5 - kept + n, "state") for n in range(1, kept + 1))]
    assert frames(reader) == []


def test_an_event_that_is_stored_between_two_reads_is_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is sent a snapshot has to read the whole session, and drops the event as old."""
    store = FakeSessionStore()
    session = store_with_events(store, count=2)
    read = store.get

    def after_another_event(session_id: str) -> Session | None:
        monkeypatch.undo()
        store.save(moves.changed(session, session.updated_at, StateChanged(state=session.state)))
        return read(session_id)

    reader = SessionTopics(store).reader(session.id, after=2)
    monkeypatch.setattr(store, "get", after_another_event)
    assert frames(reader) == [(3, "state")]
    assert frames(reader) == []


def store_with_events(store: FakeSessionStore, *, count: int) -> Session:
    session, _ = SessionWorld(sessions=store).uploads.create(OWNER, None, FILE)
    for _ in range(count - 1):
        change = moves.changed(session, session.updated_at, StateChanged(state=session.state))
        store.save(change)
        session = change.after
    return session


def test_only_the_owner_may_follow_a_session_and_a_deleted_one_is_gone(world: SessionWorld) -> None:
    session = world.active()
    topics = SessionTopics(world.store)
    assert topics.state(OWNER, session.id) == "ACTIVE"
    with pytest.raises(Forbidden):
        topics.state("bob", session.id)
    world.closing.delete(OWNER, session.id)
    with pytest.raises(NotFound):
        topics.state(OWNER, session.id)
    assert topics.tail(session.id) is None
    assert frames(topics.reader(session.id, after=3)) == []
