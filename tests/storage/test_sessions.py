"""The SessionStore, in memory and on DynamoDB, stores each change of a session wholly or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.apps.sheets.ops import CellWrite, WriteCells
from shared.apps.sheets.session import (
    KEPT_DAYS,
    UNLOADED_HOURS,
    ChatMessage,
    JobChanged,
    MessageAdded,
    Session,
    SessionEvent,
    SessionJob,
    SessionProblem,
    SessionState,
    Source,
    StateChanged,
    Version,
    VersionPublished,
)
from shared.apps.sheets.session_id import message_id, new_session_id
from shared.apps.sheets.session_store import MOST_DUE, SessionChange, SessionStore, StaleSession
from shared.apps.sheets.workbook import SheetInfo
from shared.errors import AttemptStopped
from shared.jobs.ids import new_job_id, ulid_of
from shared.jobs.job import JobLinks, JobStatus
from shared.jobs.store import JobGuard, SideWriteConflict
from shared.log.fence import Fence
from shared.observability.metering import Count, Meter, metered
from shared.stages.attempt_guard import AttemptGuard
from tests.fakes.clock import NOON
from tests.fakes.core import a_job
from tests.storage.at_once import at_once
from tests.storage.ports import Ports

LATER = NOON + timedelta(seconds=90)
NEVER = NOON + timedelta(days=100_000)
PENDING = JobGuard(status_in=frozenset({JobStatus.PENDING}))
CANCELLED = {"status": JobStatus.CANCELLED, "ended_at": LATER, "updated_at": LATER}
SHEETS = (SheetInfo(id=1, name="Sales – 💡", rows=3, columns=2),)


def a_session(owner: str = "ada", **fields: Any) -> Session:
    session_id = fields.pop("id", None) or new_session_id(int(NOON.timestamp() * 1000))
    values: dict[str, Any] = {
        "id": session_id,
        "owner": owner,
        "title": "a title – 💡",
        "source": Source(key=f"sheets/{session_id}/source", name="Sales.xlsx", bytes=1234),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Session(**{**values, **fields})


def first(session: Session) -> SessionChange:
    events = (StateChanged(state=session.state),)
    return SessionChange(None, session.model_copy(update={"seq": 1}), events)


def created(ports: Ports, owner: str = "ada", **fields: Any) -> Session:
    change = first(a_session(owner, **fields))
    ports.sessions.save(change)
    return change.after


def change_of(session: Session, *events: SessionEvent, **fields: Any) -> SessionChange:
    of_change = {name: fields.pop(name) for name in ("version", "messages", "jobs") if name in fields}
    events = events or (StateChanged(state=session.state),)
    after = session.model_copy(update={"updated_at": LATER, **fields, "seq": session.seq + len(events)})
    return SessionChange(session, after, events, **of_change)


def changed(ports: Ports, session: Session, *events: SessionEvent, **fields: Any) -> Session:
    change = change_of(session, *events, **fields)
    ports.sessions.save(change)
    return change.after


def a_version(session: Session, number: int = 1, **fields: Any) -> Version:
    values: dict[str, Any] = {
        "session_id": session.id,
        "number": number,
        "kind": "change",
        "by": "model",
        "title": "Add margin",
        "map": "m" * 24,
        "snapshot": "s" * 24,
        "sheets": SHEETS,
        "created_at": NOON,
    }
    return Version(**{**values, **fields})


def published(version: Version) -> VersionPublished:
    return VersionPublished(
        version=version.number,
        kind=version.kind,
        by=version.by,
        title=version.title,
        changed=(),
        blocks=None,
        sheets=version.sheets,
    )


def a_message(session: Session, job_id: str, **fields: Any) -> ChatMessage:
    values: dict[str, Any] = {
        "session_id": session.id,
        "id": message_id(job_id, "user"),
        "role": "user",
        "text": "What is in it? – 💡\x00",
        "job_id": job_id,
        "created_at": NOON,
    }
    return ChatMessage(**{**values, **fields})


def a_session_job(session: Session, job_id: str, **fields: Any) -> SessionJob:
    values: dict[str, Any] = {"session_id": session.id, "job_id": job_id, "pipeline": "sheet_chat", "status": "pending"}
    return SessionJob(**{**values, "created_at": NOON, **fields})


def job_id_at(moment: datetime, cell: str = "a") -> str:
    return new_job_id(int(moment.timestamp() * 1000), cell)


def seqs(store: SessionStore, session: Session, after: int = 0) -> Sequence[int]:
    return [each.seq for each in store.events(session.id, after=after)]


class TestSaving:
    def test_the_store_returns_a_session_unchanged(self, ports: Ports) -> None:
        problem = SessionProblem(code="DATA_GONE", message="gone – ⏳", retryable=True, at=LATER)
        fields: dict[str, Any] = {
            "sheets": SHEETS,
            "errors": (problem,),
            "undo_to": 1,
            "map": "m",
            "bytes": 5,
            "closed_at": LATER,
        }
        session = created(ports, **fields, state=SessionState.CLOSED)
        assert ports.sessions.get(session.id) == session

    def test_the_store_returns_none_for_what_is_unknown(self, ports: Ports) -> None:
        session = created(ports)
        unknown = new_session_id(0)
        assert ports.sessions.get(unknown) is None
        assert ports.sessions.version(session.id, 1) is None
        assert ports.sessions.job(session.id, job_id_at(NOON)) is None
        assert ports.sessions.message(session.id, message_id(job_id_at(NOON), "user")) is None
        assert not ports.sessions.events(unknown, after=0)
        assert not ports.sessions.messages(unknown, limit=5)

    def test_a_session_is_created_once(self, ports: Ports) -> None:
        session = created(ports)
        with pytest.raises(StaleSession):
            ports.sessions.save(first(session.model_copy(update={"title": "another", "seq": 0})))
        assert ports.sessions.get(session.id) == session

    def test_a_change_is_stored_with_all_that_belongs_to_it(self, ports: Ports) -> None:
        session = created(ports)
        job_id = job_id_at(NOON)
        version, message, job = a_version(session), a_message(session, job_id), a_session_job(session, job_id)
        events = (published(version), MessageAdded(message=message), JobChanged(job=job, active_job_id=job_id))
        after = changed(ports, session, *events, version=version, messages=(message,), jobs=(job,))
        assert ports.sessions.get(session.id) == after
        assert ports.sessions.version(session.id, 1) == version
        assert ports.sessions.messages(session.id, limit=5) == [message]
        assert ports.sessions.message(session.id, message.id) == message
        assert ports.sessions.jobs(session.id, limit=5) == [job]
        assert ports.sessions.job(session.id, job.job_id) == job
        assert [each.event for each in ports.sessions.events(session.id, after=1)] == list(events)

    def test_a_stale_change_stores_nothing(self, ports: Ports) -> None:
        session = created(ports)
        after = changed(ports, session, title="the first")
        job_id = job_id_at(NOON)
        version, message, job = a_version(session), a_message(session, job_id), a_session_job(session, job_id)
        with pytest.raises(StaleSession):
            changed(ports, session, title="the second", version=version, messages=(message,), jobs=(job,))
        assert ports.sessions.get(session.id) == after
        assert ports.sessions.version(session.id, 1) is None
        assert not ports.sessions.messages(session.id, limit=1)
        assert not ports.sessions.jobs(session.id, limit=1)
        assert seqs(ports.sessions, session) == [1, 2]

    def test_a_version_is_written_once(self, ports: Ports) -> None:
        session = created(ports)
        version = a_version(session)
        after = changed(ports, session, version=version)
        with pytest.raises(StaleSession):
            changed(ports, after, version=a_version(session, title="another"))
        assert ports.sessions.version(session.id, 1) == version

    def test_one_of_many_concurrent_changes_is_stored(self, ports: Ports) -> None:
        session = created(ports)

        def write(number: int) -> bool:
            try:
                changed(ports, session, title=f"writer {number}")
            except StaleSession:
                return False
            return True

        assert at_once(write).count(True) == 1
        assert seqs(ports.sessions, session) == [1, 2]

    def test_typed_values_come_back_as_they_were(self, ports: Ports) -> None:
        session = created(ports)
        values = (1, 1.0, 0.1 + 0.2, 1e-200, 1e300, "007", True, None, "=A1", "")
        writes = tuple(CellWrite(at=f"A{row}", value=value) for row, value in enumerate(values, start=1))
        version = a_version(session, ops=(WriteCells(sheet="Sales", cells=writes),), result={"data": [1.0, None]})
        changed(ports, session, version=version)
        stored = ports.sessions.version(session.id, 1)
        assert stored is not None
        assert stored.ops is not None
        [op] = stored.ops
        assert isinstance(op, WriteCells)
        assert [(type(cell.value), cell.value) for cell in op.cells] == [(type(value), value) for value in values]


class TestEvents:
    def test_a_reader_gets_exactly_the_events_after_its_number(self, ports: Ports) -> None:
        session = created(ports)
        states = [StateChanged(state=state) for state in SessionState]
        after = changed(ports, changed(ports, session, *states), states[0])
        assert after.seq == 6
        for number in range(8):
            assert seqs(ports.sessions, session, after=number) == list(range(number + 1, 7))

    def test_an_event_has_the_time_of_its_change(self, ports: Ports) -> None:
        session = changed(ports, created(ports))
        assert [each.at for each in ports.sessions.events(session.id, after=0)] == [NOON, LATER]


class TestPages:
    def test_versions_come_newest_first_in_pages(self, ports: Ports) -> None:
        session = created(ports)
        for number in range(1, 12):
            session = changed(ports, session, version=a_version(session, number))
        page = ports.sessions.versions(session.id, limit=4)
        assert [each.number for each in page] == [11, 10, 9, 8]
        page = ports.sessions.versions(session.id, limit=8, before=8)
        assert [each.number for each in page] == [7, 6, 5, 4, 3, 2, 1]
        assert not ports.sessions.versions(session.id, limit=8, before=1)
        assert not ports.sessions.versions(session.id, limit=8, before=0)

    def test_messages_and_jobs_come_newest_first_whatever_their_cell(self, ports: Ports) -> None:
        session = created(ports)
        ids = [job_id_at(NOON + timedelta(seconds=number), "zyx"[number]) for number in range(3)]
        for job_id in ids:
            messages = tuple(
                a_message(session, job_id, id=message_id(job_id, role), role=role) for role in ("user", "assistant")
            )
            session = changed(ports, session, messages=messages, jobs=(a_session_job(session, job_id),))
        assert [each.job_id for each in ports.sessions.jobs(session.id, limit=2)] == [ids[2], ids[1]]
        assert [each.job_id for each in ports.sessions.jobs(session.id, limit=2, before=ids[1])] == [ids[0]]
        found = ports.sessions.messages(session.id, limit=5)
        assert [(each.job_id, each.role) for each in found] == [
            (ids[2], "assistant"),
            (ids[2], "user"),
            (ids[1], "assistant"),
            (ids[1], "user"),
            (ids[0], "assistant"),
        ]
        assert [each.role for each in ports.sessions.messages(session.id, limit=5, before=found[-1].id)] == ["user"]

    def test_the_owners_sessions_come_newest_first_in_pages(self, ports: Ports, owner: str) -> None:
        at = int(NOON.timestamp() * 1000)
        ids = [created(ports, owner, id=new_session_id(at + number)).id for number in range(5)]
        created(ports, f"not {owner}")
        page, cursor = ports.sessions.list_of(owner, limit=3, cursor=None)
        assert [each.id for each in page] == [ids[4], ids[3], ids[2]]
        page, cursor = ports.sessions.list_of(owner, limit=3, cursor=cursor)
        assert ([each.id for each in page], cursor) == ([ids[1], ids[0]], None)

    def test_a_list_can_show_one_state(self, ports: Ports, owner: str) -> None:
        created(ports, owner)
        closed = created(ports, owner, state=SessionState.CLOSED)
        page, _ = ports.sessions.list_of(owner, state=SessionState.CLOSED, limit=5, cursor=None)
        assert page == [closed]

    @pytest.mark.parametrize("cursor", ["no cursor", "cnVuXzE=", ""])
    def test_a_false_cursor_is_refused(self, ports: Ports, owner: str, cursor: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            ports.sessions.list_of(owner, limit=5, cursor=cursor)


class TestWithJobs:
    def test_a_job_and_the_change_of_its_session_are_stored_together(self, ports: Ports) -> None:
        session = created(ports)
        job = a_job(links=JobLinks(session_id=session.id))
        change = change_of(session, jobs=(a_session_job(session, job.id),), active_job_id=job.id)
        ports.jobs.put_new(job, side_writes=ports.sessions.prepare(change))
        assert (ports.jobs.get(job.id), ports.sessions.get(session.id)) == (job, change.after)

    @pytest.mark.parametrize("ports", ["moto"], indirect=True)  # the others do not count the indexes of a transaction
    def test_the_end_of_a_job_counts_all_units_of_its_session(self, ports: Ports) -> None:
        """No later write could add those that are missing."""
        session = created(ports, state=SessionState.ACTIVE)
        job = a_job()
        ports.jobs.put_new(job)
        with metered(Meter(megabytes=1024)) as meter:
            ports.jobs.get(job.id)
            ended = change_of(session, updated_at=LATER + timedelta(hours=1))
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=ports.sessions.prepare(ended))
            assert Count.WRITE_UNITS not in meter.take(write_units=0)

    def test_a_stale_session_leaves_the_job_as_it_was(self, ports: Ports) -> None:
        session = created(ports)
        job = a_job()
        ports.jobs.put_new(job)
        after = changed(ports, session)
        with pytest.raises(SideWriteConflict):
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=ports.sessions.prepare(change_of(session)))
        assert (ports.jobs.get(job.id), ports.sessions.get(session.id)) == (job, after)

    @pytest.mark.parametrize("gone", ["unknown", "closed", "deleted"])
    def test_a_job_can_be_stored_on_the_condition_that_a_session_is_open(self, ports: Ports, gone: str) -> None:
        session = created(ports)
        job, refused = a_job(), a_job()
        ports.jobs.put_new(job, side_writes=ports.sessions.prepare_open(session.id))
        assert ports.jobs.get(job.id) == job
        if gone == "closed":
            changed(ports, session, state=SessionState.CLOSED)
        if gone == "deleted":
            delete(ports, session.id)
        asked = new_session_id(0) if gone == "unknown" else session.id
        with pytest.raises(SideWriteConflict):
            ports.jobs.put_new(refused, side_writes=ports.sessions.prepare_open(asked))
        assert ports.jobs.get(refused.id) is None

    def test_a_refused_write_beside_the_change_stores_nothing(self, ports: Ports) -> None:
        session = created(ports)
        with pytest.raises(StaleSession):
            ports.sessions.save(change_of(session), also=ports.sessions.prepare_open(new_session_id(0)))
        assert ports.sessions.get(session.id) == session
        after = changed(ports, session)
        other = created(ports)
        ports.sessions.save(change_of(after), also=ports.sessions.prepare_open(other.id))
        assert seqs(ports.sessions, session) == [1, 2, 3]

    @pytest.mark.parametrize(
        "lost",
        [
            {"fence": "00001.001.001.0123abcd"},
            {"status": JobStatus.FAILED},
            {"expires_at": int(NOON.timestamp()) - 1},
            None,
        ],
    )
    def test_a_change_can_be_stored_on_the_condition_that_an_attempt_has_its_job(
        self, ports: Ports, lost: dict[str, Any] | None
    ) -> None:
        session = created(ports)
        fence = Fence(1, 1, 0, "0123abcd")
        job = a_job(status=JobStatus.IN_PROGRESS, fence=str(fence))
        ports.jobs.put_new(job)
        guard = AttemptGuard(ports.jobs, job.id, fence)
        ports.sessions.save(change_of(session), also=guard.condition())
        guard.check()
        assert ports.jobs.get(job.id) == job
        after = ports.sessions.get(session.id)
        assert after is not None
        if lost is None:
            ports.jobs.erase(job.id)
        else:
            ports.jobs.update(job.id, lost, when=JobGuard())
        with pytest.raises(StaleSession):
            ports.sessions.save(change_of(after), also=guard.condition())
        with pytest.raises(AttemptStopped):
            guard.check()
        assert ports.sessions.get(session.id) == after


def delete(ports: Ports, session_id: str, *, purge_at: datetime = NEVER) -> None:
    ports.sessions.delete(session_id, purge_at=purge_at)


class TestDeleting:
    def test_nothing_of_a_deleted_session_is_left(self, ports: Ports, owner: str) -> None:
        session, other = created(ports, owner), created(ports, owner)
        job_id = job_id_at(NOON)
        changed(
            ports,
            session,
            version=a_version(session),
            messages=(a_message(session, job_id),),
            jobs=(a_session_job(session, job_id),),
        )
        for _ in range(2):
            delete(ports, session.id)
            assert ports.sessions.get(session.id) is None
            assert not ports.sessions.events(session.id, after=0)
            assert not ports.sessions.versions(session.id, limit=5)
            assert not ports.sessions.messages(session.id, limit=5)
            assert not ports.sessions.jobs(session.id, limit=5)
            assert list(ports.sessions.list_of(owner, limit=5, cursor=None)[0]) == [other]

    def test_a_deleted_session_cannot_be_changed(self, ports: Ports) -> None:
        session = created(ports)
        delete(ports, session.id)
        with pytest.raises(StaleSession):
            changed(ports, session)
        assert ports.sessions.get(session.id) is None

    def test_a_deleted_session_is_named_from_its_time_on_until_it_is_purged(self, ports: Ports) -> None:
        begin = NOON - timedelta(days=7000)
        later, earlier = created(ports, state=SessionState.CLOSED, updated_at=begin), created(ports)
        delete(ports, later.id, purge_at=begin + timedelta(hours=2))
        delete(ports, earlier.id, purge_at=begin + timedelta(hours=1))
        assert list(ports.sessions.deleted(begin + timedelta(minutes=59))) == []
        assert list(ports.sessions.deleted(begin + timedelta(hours=1))) == [earlier.id]
        assert list(ports.sessions.deleted(begin + timedelta(hours=2))) == [earlier.id, later.id]
        assert due_ids(ports, begin + timedelta(hours=2)) == []
        delete(ports, earlier.id, purge_at=begin + timedelta(hours=1))
        for each in (earlier, later, later):
            ports.sessions.purge(each.id)
        assert list(ports.sessions.deleted(begin + timedelta(hours=2))) == []


AGES = {
    SessionState.INITIALIZING: timedelta(hours=UNLOADED_HOURS),
    SessionState.ERROR: timedelta(days=KEPT_DAYS),
    SessionState.CLOSED: timedelta(0),
    SessionState.ACTIVE: timedelta(days=1),
}


def due_ids(ports: Ports, at: datetime) -> list[str]:
    return [each.id for each in ports.sessions.due(at)]


class TestSweeping:
    @pytest.mark.parametrize("state", SessionState)
    def test_a_session_is_due_at_the_age_of_its_state(self, ports: Ports, state: SessionState) -> None:
        # The tests share a table, so each uses another time in the past, at which no other session is due.
        begin = NOON - timedelta(days=1000 + 100 * list(SessionState).index(state))
        session = created(ports, state=state, updated_at=begin)
        due = begin + AGES[state]
        assert session.id not in due_ids(ports, due - timedelta(milliseconds=1))
        assert session.id in due_ids(ports, due)
        moved = changed(ports, session, updated_at=begin + timedelta(days=30))
        assert session.id not in due_ids(ports, due)
        delete(ports, moved.id)

    def test_a_session_that_was_loaded_and_met_an_error_is_never_due(self, ports: Ports) -> None:
        session = created(ports, state=SessionState.ERROR, version=3)
        assert session.sweep_at is None
        assert session.id not in due_ids(ports, NOON + timedelta(days=400))

    def test_a_session_can_be_postponed_unless_it_has_changed(self, ports: Ports) -> None:
        begin = NOON - timedelta(days=3000)
        session = created(ports, state=SessionState.CLOSED, updated_at=begin)
        ports.sessions.postpone(session, begin + timedelta(days=7))
        assert session.id not in due_ids(ports, begin + timedelta(days=6))
        assert session.id in due_ids(ports, begin + timedelta(days=7))
        ports.sessions.postpone(session, None)
        assert session.id not in due_ids(ports, begin + timedelta(days=8))
        moved = changed(ports, session, updated_at=begin)
        ports.sessions.postpone(session, None)
        assert session.id in due_ids(ports, begin)
        assert ports.sessions.get(session.id) == moved
        delete(ports, session.id)
        ports.sessions.postpone(moved, begin)
        assert ports.sessions.get(session.id) is None

    def test_the_longest_due_come_first_and_not_all_at_once(self, ports: Ports) -> None:
        begin = NOON - timedelta(days=5000)
        sessions = [
            created(ports, state=SessionState.CLOSED, updated_at=begin + timedelta(seconds=second))
            for second in reversed(range(MOST_DUE + 1))
        ]
        assert due_ids(ports, begin + timedelta(days=1)) == [each.id for each in reversed(sessions)][:MOST_DUE]
        for each in sessions:
            delete(ports, each.id)


def test_a_message_id_sorts_by_its_job_and_the_question_first() -> None:
    earlier, later = job_id_at(NOON, "z"), job_id_at(LATER, "a")
    ids = [message_id(job_id, role) for job_id in (earlier, later) for role in ("user", "assistant")]
    assert ids == sorted(ids)
    assert ids[0].startswith(ulid_of(earlier))
