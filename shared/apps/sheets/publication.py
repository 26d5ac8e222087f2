"""Describe a new version of a session's workbook: its record, its event, and the change that publishes both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.apps.sheets.cells import CellJson
from shared.apps.sheets.moves import Request, refuse_unless_possible
from shared.apps.sheets.session import (
    BlockRef,
    Session,
    SessionEvent,
    SessionState,
    StateChanged,
    Version,
    VersionPublished,
)
from shared.apps.sheets.session_store import SessionChange

MOST_BLOCKS = 200
"""The most changed blocks that an event names."""

MOST_CELLS = 200
"""The most changed cells that an event contains."""

MOST_CELL_BYTES = 16_000
"""The most bytes of changed cells, as JSON, that an event contains."""

CellsBySheet = Mapping[int, Mapping[str, CellJson]]
"""Cells by the id of their sheet and their address."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A new version, with what its event says besides: the blocks and cells that changed, and the job that did it."""

    version: Version
    blocks: Sequence[BlockRef]
    cells: CellsBySheet | None = None
    job_id: str | None = None

    @property
    def event(self) -> VersionPublished:
        """Return the version's event, without blocks or cells where they are too many."""
        shared = VersionPublished.model_fields.keys() & Version.model_fields.keys()
        return VersionPublished(
            **{name: getattr(self.version, name) for name in shared},
            version=self.version.number,
            blocks=tuple(self.blocks) if len(self.blocks) <= MOST_BLOCKS else None,
            cells=_few(self.cells),
            job_id=self.job_id,
        )

    def change_of(self, session: Session) -> SessionChange:
        """Return the change that makes this the session's newest version, and the session active if it is not."""
        state = () if session.state is SessionState.ACTIVE else (StateChanged(state=SessionState.ACTIVE),)
        events: tuple[SessionEvent, ...] = (*state, self.event)
        return SessionChange(session, self.head_of(session, events=len(events)), events, version=self.version)

    def head_of(self, session: Session, *, events: int) -> Session:
        """Return the session with this as its newest version, and `events` more events."""
        version = self.version
        return session.model_copy(
            update={
                "state": SessionState.ACTIVE,
                "seq": session.seq + events,
                "version": version.number,
                "map": version.map,
                "snapshot": version.snapshot,
                "sheets": version.sheets,
                "undo_to": version.undo_to,
                "redo_to": version.redo_to,
                "updated_at": version.created_at,
            }
        )


def refuse_unless_active(session: Session) -> None:
    """Raise Conflict if the session is not active; it says which states allow a change."""
    refuse_unless_possible(session, Request.CHANGE)


def undone(target: Version, session: Session, *, at: datetime) -> Version:
    """Return the version that undoes the session's newest one: the contents of `target`, its `undo_to`."""
    return _again(target, session, "undo", "Undo", undo_to=target.undo_to, redo_to=session.version, at=at)


def redone(target: Version, session: Session, *, at: datetime) -> Version:
    """Return the version that redoes what was undone: the contents of `target`, its `undo_to` and `redo_to`."""
    return _again(target, session, "redo", "Redo", undo_to=target.undo_to, redo_to=target.redo_to, at=at)


def recovered(target: Version, session: Session, *, at: datetime) -> Version:
    """Return the version that has the contents of `target` after newer data was lost."""
    title = f"Recover version {target.number}"
    return _again(target, session, "recover", title, undo_to=target.undo_to, redo_to=None, at=at)


def _again(
    target: Version,
    session: Session,
    kind: Literal["undo", "redo", "recover"],
    title: str,
    *,
    at: datetime,
    **pointers: Any,
) -> Version:
    return Version(
        session_id=session.id,
        number=session.version + 1,
        kind=kind,
        by="user",
        title=title,
        map=target.map,
        snapshot=target.snapshot,
        sheets=target.sheets,
        step_to=target.step_to,
        answer=target.answer,
        created_at=at,
        **pointers,
    )


def _few(cells: CellsBySheet | None) -> dict[int, dict[str, Any]] | None:
    """Return the cells if they are few enough for an event; None otherwise."""
    if cells is None or sum(map(len, cells.values())) > MOST_CELLS:
        return None
    found = {sheet: dict(by_address) for sheet, by_address in cells.items()}
    return found if len(json.dumps(found, ensure_ascii=False).encode()) <= MOST_CELL_BYTES else None
