"""The session store port, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from shared.apps.sheets.session import (
    SESSION_EVENTS,
    ChatMessage,
    Session,
    SessionJob,
    SessionState,
    Version,
)
from shared.apps.sheets.session_id import SESSION_ID
from shared.apps.sheets.session_store import MOST_DUE, NumberedEvent, SessionChange, StaleSession
from shared.jobs.ids import ulid_of
from shared.jobs.store import PreparedWrites, SideWriteConflict
from tests.fakes.transactions import FakeWrite, write_all

Key = TypeVar("Key", int, str)


class FakeSessionStore:
    """Implements SessionStore. It stores everything as JSON, so that a read never returns what was written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, str] = {}
        self._due: dict[str, datetime] = {}
        self._deleted: dict[str, datetime] = {}
        self._noted: dict[str, str] = {}
        self._events: dict[str, list[tuple[datetime, bytes]]] = {}
        self._versions: dict[str, dict[int, str]] = {}
        self._messages: dict[str, dict[str, str]] = {}
        self._jobs: dict[str, dict[str, str]] = {}

    def save(self, change: SessionChange, *, also: PreparedWrites | None = None) -> None:
        try:
            write_all(PreparedWrites((*self.prepare(change).writes, *(also.writes if also else ()))))
        except SideWriteConflict as refused:
            raise StaleSession from refused

    def prepare(self, change: SessionChange) -> PreparedWrites:
        after, before = change.after, change.before

        def fits() -> bool:
            stored = self._session(after.id)
            unchanged = stored is None if before is None else stored is not None and stored.seq == before.seq
            new = change.version is None or change.version.number not in self._versions.get(after.id, {})
            return unchanged and new

        return PreparedWrites((FakeWrite(after.id, self._lock, fits, lambda: self._write(change)),))

    def prepare_open(self, session_id: str) -> PreparedWrites:
        def fits() -> bool:
            stored = self._session(session_id)
            return stored is not None and stored.state is not SessionState.CLOSED

        return PreparedWrites((FakeWrite(session_id, self._lock, fits),))

    def get(self, session_id: str) -> Session | None:
        with self._lock:
            return self._session(session_id)

    def list_of(
        self, owner: str, *, state: SessionState | None = None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Session], str | None]:
        if cursor is not None and not SESSION_ID.fullmatch(cursor):
            raise ValueError("not a cursor of this store")
        with self._lock:
            ids = sorted((each for each in self._sessions if cursor is None or each < cursor), reverse=True)
            sessions = [session for session in map(self._session, ids) if session is not None]
        found = [each for each in sessions if each.owner == owner and state in {None, each.state}]
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def events(self, session_id: str, *, after: int) -> Sequence[NumberedEvent]:
        with self._lock:
            stored = list(self._events.get(session_id, ()))
        events = [(at, event) for at, batch in stored for event in SESSION_EVENTS.validate_json(batch)]
        numbered = (NumberedEvent(seq, at, event) for seq, (at, event) in enumerate(events, start=1))
        return [each for each in numbered if each.seq > after]

    def version(self, session_id: str, number: int) -> Version | None:
        with self._lock:
            text = self._versions.get(session_id, {}).get(number)
        return None if text is None else Version.model_validate_json(text)

    def versions(self, session_id: str, *, limit: int, before: int | None = None) -> Sequence[Version]:
        with self._lock:
            found = _newest(self._versions.get(session_id, {}), limit, before)
        return [Version.model_validate_json(text) for text in found]

    def messages(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[ChatMessage]:
        with self._lock:
            found = _newest(self._messages.get(session_id, {}), limit, before)
        return [ChatMessage.model_validate_json(text) for text in found]

    def job(self, session_id: str, job_id: str) -> SessionJob | None:
        with self._lock:
            text = self._jobs.get(session_id, {}).get(ulid_of(job_id))
        return None if text is None else SessionJob.model_validate_json(text)

    def message(self, session_id: str, message_id: str) -> ChatMessage | None:
        with self._lock:
            text = self._messages.get(session_id, {}).get(message_id)
        return None if text is None else ChatMessage.model_validate_json(text)

    def jobs(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[SessionJob]:
        with self._lock:
            found = _newest(self._jobs.get(session_id, {}), limit, None if before is None else ulid_of(before))
        return [SessionJob.model_validate_json(text) for text in found]

    def due(self, now: datetime) -> Sequence[Session]:
        with self._lock:
            ids = sorted((at, each) for each, at in self._due.items() if at <= now)
            return [found for _, each in ids[:MOST_DUE] if (found := self._session(each)) is not None]

    def postpone(self, session: Session, until: datetime | None) -> None:
        with self._lock:
            stored = self._session(session.id)
            if stored is None or stored.seq != session.seq:
                return
            self._due.pop(session.id, None)
            if until is not None:
                self._due[session.id] = until

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        with self._lock:
            sessions = [each for each in map(self._session, self._sessions) if each is not None and each.owner == owner]
            noted = [session_id for session_id, each in self._noted.items() if each == owner]
            return iter(sorted(noted if gone else (each.id for each in sessions), reverse=True))

    def delete(self, session_id: str, *, purge_at: datetime) -> None:
        session = self.get(session_id)
        if session is None:
            return
        self.purge(session_id)
        with self._lock:
            self._noted[session_id] = session.owner
            self._deleted[session_id] = purge_at

    def deleted(self, now: datetime) -> Sequence[str]:
        with self._lock:
            return [each for at, each in sorted((at, each) for each, at in self._deleted.items()) if at <= now][
                :MOST_DUE
            ]

    def purge(self, session_id: str) -> None:
        with self._lock:
            self._noted.pop(session_id, None)
            kept = (self._sessions, self._due, self._events, self._versions, self._messages, self._jobs, self._deleted)
            for stored in kept:
                stored.pop(session_id, None)

    def _write(self, change: SessionChange) -> None:
        session = change.after
        self._sessions[session.id] = session.model_dump_json()
        self._due.pop(session.id, None)
        if session.sweep_at is not None:
            self._due[session.id] = session.sweep_at
        if change.events:
            batch = (session.updated_at, SESSION_EVENTS.dump_json(change.events))
            self._events.setdefault(session.id, []).append(batch)
        if change.version is not None:
            self._versions.setdefault(session.id, {})[change.version.number] = change.version.model_dump_json()
        for message in change.messages:
            self._messages.setdefault(session.id, {})[message.id] = message.model_dump_json()
        for job in change.jobs:
            self._jobs.setdefault(session.id, {})[ulid_of(job.job_id)] = job.model_dump_json()

    def _session(self, session_id: str) -> Session | None:
        text = self._sessions.get(session_id)
        return None if text is None else Session.model_validate_json(text)


def _newest(stored: dict[Key, str], limit: int, before: Key | None) -> list[str]:
    keys = sorted((key for key in stored if before is None or key < before), reverse=True)
    return [stored[key] for key in keys[:limit]]
