"""Erase the sessions of an owner."""

from __future__ import annotations

import contextlib
from datetime import datetime

from shared.apps.sheets.closing import SessionClosing
from shared.apps.sheets.session_store import SessionStore, WorkbookData
from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_then_purge
from shared.errors import NotFound


class OwnerSessions:
    """Implements OwnerData for sessions."""

    name = "sessions"
    holds = "spreadsheet sessions with their files, versions, messages and exports"
    places = ("DurableTable SESSION#", "JobsTable SESSION#", "ArtefactBucket sheets/")

    def __init__(self, sessions: SessionStore, data: WorkbookData, closing: SessionClosing, *, clock: Clock) -> None:
        self._sessions = sessions
        self._data = data
        self._closing = closing
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:
        """Close and delete sessions; purge them when no upload or job is left that could store data."""

        def delete(session_id: str) -> None:
            with contextlib.suppress(NotFound):  # the index may be behind the table
                self._closing.delete(owner, session_id)

        return erase_then_purge(
            self._sessions.ids_of(owner),
            delete,
            erased=lambda: self._sessions.ids_of(owner, gone=True),
            purge=self._purge,
            clock=self._clock,
            until=until,
            settled=settled,
        )

    def _purge(self, session_id: str) -> None:
        self._data.delete(session_id)
        self._sessions.purge(session_id)
