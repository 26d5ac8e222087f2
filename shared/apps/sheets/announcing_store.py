"""Announce to the channel every change of a session that was stored."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from shared.apps.sheets.session import ChatMessage, Session, SessionJob, SessionState, Version
from shared.apps.sheets.session_store import NumberedEvent, SessionChange, SessionStore
from shared.apps.sheets.session_topics import announce
from shared.channel.announcer import Announcements
from shared.jobs.store import PreparedWrites


class AnnouncingSessionStore:
    """A SessionStore that tells the announcer of every change that was stored; the port describes the methods."""

    def __init__(self, sessions: SessionStore, announcer: Announcements) -> None:
        self._sessions = sessions
        self._announcer = announcer

    def save(self, change: SessionChange, *, also: PreparedWrites | None = None) -> None:
        self._sessions.save(change, also=also)
        announce(self._announcer, change)

    def prepare(self, change: SessionChange) -> PreparedWrites:
        prepared = self._sessions.prepare(change)
        return replace(prepared, stored=(*prepared.stored, functools.partial(announce, self._announcer, change)))

    def prepare_open(self, session_id: str) -> PreparedWrites:
        return self._sessions.prepare_open(session_id)

    def get(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    def list_of(
        self, owner: str, *, state: SessionState | None = None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Session], str | None]:
        return self._sessions.list_of(owner, state=state, limit=limit, cursor=cursor)

    def events(self, session_id: str, *, after: int) -> Sequence[NumberedEvent]:
        return self._sessions.events(session_id, after=after)

    def version(self, session_id: str, number: int) -> Version | None:
        return self._sessions.version(session_id, number)

    def versions(self, session_id: str, *, limit: int, before: int | None = None) -> Sequence[Version]:
        return self._sessions.versions(session_id, limit=limit, before=before)

    def messages(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[ChatMessage]:
        return self._sessions.messages(session_id, limit=limit, before=before)

    def message(self, session_id: str, message_id: str) -> ChatMessage | None:
        return self._sessions.message(session_id, message_id)

    def job(self, session_id: str, job_id: str) -> SessionJob | None:
        return self._sessions.job(session_id, job_id)

    def jobs(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[SessionJob]:
        return self._sessions.jobs(session_id, limit=limit, before=before)

    def due(self, now: datetime) -> Sequence[Session]:
        return self._sessions.due(now)

    def postpone(self, session: Session, until: datetime | None) -> None:
        self._sessions.postpone(session, until)

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        return self._sessions.ids_of(owner, gone=gone)

    def delete(self, session_id: str, *, purge_at: datetime) -> None:
        self._sessions.delete(session_id, purge_at=purge_at)

    def deleted(self, now: datetime) -> Sequence[str]:
        return self._sessions.deleted(now)

    def purge(self, session_id: str) -> None:
        self._sessions.purge(session_id)
