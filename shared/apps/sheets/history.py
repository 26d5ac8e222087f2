"""Go back and forth between the versions of a session: undo, redo, recover, and what has to be kept for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from shared.apps.sheets.differences import Differences
from shared.apps.sheets.maps import WorkbookMap, decode_map
from shared.apps.sheets.moves import Request, refuse_unless_possible
from shared.apps.sheets.ops import Op
from shared.apps.sheets.publication import Publication, recovered, redone, undone
from shared.apps.sheets.publishing import PAGE, Publishing, VersionMoved, refuse_unless_open
from shared.apps.sheets.session import Session, SessionState, StateChanged, Version
from shared.apps.sheets.session_store import DataGone, Retained, SessionChange, SessionStore, WorkbookData
from shared.apps.sheets.snapshots import engine_of
from shared.clock import Clock
from shared.errors import Conflict, ErrorCode
from shared.stages.attempt_guard import AttemptGuard

KEPT_NEWEST = 20
"""How many of the newest versions are kept, and how far undo and redo reach."""

KEPT_EVERY = 10
"""Which older versions are kept: those whose number is a multiple of this."""

MOST_LOOKED_AT = 200
"""How many of the newest versions `recover` looks at."""


class History:
    """Make versions out of older ones. None of this computes anything: the new version points to the older data."""

    def __init__(self, *, publishing: Publishing, sessions: SessionStore, data: WorkbookData, clock: Clock) -> None:
        self._publishing = publishing
        self._sessions = sessions
        self._data = data
        self._clock = clock

    def undo(
        self,
        session: Session,
        *,
        guard: AttemptGuard | None = None,
        origin: str | None = None,
        result: Callable[[Version], Mapping[str, Any]] | None = None,
    ) -> tuple[Session, Version]:
        """Undo the session's newest change; return the session and the version that it has now.

        A tool of the session's active job gives its attempt's `guard`, its `origin` and what its call returns: then the
        version is by the model, and undoes one change of the job. Otherwise it is by a person, who cannot undo while a
        job is active, and undoes all that one answer has changed.

        Raises:
            Conflict: there is nothing to undo, its data is not kept any more, a job is active, the session is not
                active, or another version was published at the same moment.
            JobEnded: the job is not the session's active job any more.
            AttemptSuperseded: a newer attempt of the job has begun.
        """
        to = session.undo_to if guard is None else self._step_to(session)
        return self._move("undo", session, to, guard, origin, result)

    def redo(self, session: Session) -> tuple[Session, Version]:
        """Redo what was undone last; return the session and the version that it has now. Raises Conflict as `undo`."""
        return self._move("redo", session, session.redo_to, None, None, None)

    def recover(self, session: Session) -> Session | None:
        """Return to the newest version whose data is stored wholly and can be read, and make the session active.

        Return None if there is no such version. Raises Conflict if the session is not in the state ERROR.
        """
        _refuse_unless_error(session)
        damaged = session.snapshot if _is_unreadable(session) else None
        newest = (each for each in self._newest(session, MOST_LOOKED_AT) if each.snapshot != damaged)
        target = next((each for each in newest if self._is_whole(each)), None)
        if target is None:
            return None
        if target.number == session.version:
            return self._save(session, lambda now: _activated(now, self._clock()), _refuse_unless_error)
        publication = self._publication(session, recovered(target, session, at=self._clock()), before=None)
        return self._save(session, publication.change_of, _refuse_unless_error)

    def changes(self, session: Session) -> Sequence[Sequence[Op]] | None:
        """Return the changes that make the newest version from the session's file, in their order.

        Return None if they are not known any more: those of a version may have been too large for its record.
        """
        versions = {version.number: version for version in self._newest(session, session.version)}
        found: list[Sequence[Op]] = []
        number = session.version
        while (version := versions.get(number)) is not None:
            match version.kind:
                case "load":
                    return found[::-1]
                case "change":
                    if version.ops is None:
                        return None
                    found.append(version.ops)
                    number -= 1
                case _:
                    number = _maker(versions, version)
        return None

    def can_rebuild(self, session: Session) -> bool:
        """Return whether the newest version cannot be read, and can be made again from the session's file."""
        return _is_unreadable(session) and session.source.sha256 is not None and self.changes(session) is not None

    def retained(self, session: Session) -> Retained:
        """Return what the session still needs of its data: the sweep may delete everything else that is old.

        Kept are the KEPT_NEWEST newest versions, as many steps of undo and redo, every KEPT_EVERY-th version, and those
        that were loaded from a file, because exports are compared with them.
        """
        versions = {version.number: version for version in self._newest(session, session.version)}
        numbers = {number for number in versions if number > session.version - KEPT_NEWEST or not number % KEPT_EVERY}
        numbers |= {version.number for version in versions.values() if version.kind == "load"}
        numbers |= set(_steps(versions, session.undo_to, "undo_to")) | set(_steps(versions, session.redo_to, "redo_to"))
        kept = [versions[number] for number in numbers]
        maps = [found for digest in {each.map for each in kept} if (found := self._stored_map(session.id, digest))]
        return Retained(
            blocks=frozenset(digest for found in maps for digest in found.digests),
            maps=frozenset(each.map for each in kept),
            snapshots=frozenset(each.snapshot for each in kept),
        )

    def _move(
        self,
        kind: Literal["undo", "redo"],
        session: Session,
        to: int | None,
        guard: AttemptGuard | None,
        origin: str | None,
        result: Callable[[Version], Mapping[str, Any]] | None,
    ) -> tuple[Session, Version]:
        done = self._publishing.find(session.id, origin) if origin is not None else None
        if done is not None:
            return session, done
        check = _refusal(kind, guard)
        check(session)
        target = self._target(kind, session, to)
        self._refuse_lost(kind, session, target)
        make = undone if kind == "undo" else redone
        publication = self._publication(session, make(target, session, at=self._clock()), before=session.map)
        version = publication.version.model_copy(update={"by": "model" if guard else "user", "origin": origin})
        if result is not None:
            version = version.model_copy(update={"result": dict(result(version))})
        publication = replace(publication, version=version, job_id=guard.job_id if guard else None)
        return self._save(session, publication.change_of, check, guard), version

    def _step_to(self, session: Session) -> int | None:
        newest = self._sessions.version(session.id, session.version)
        return None if newest is None else newest.step_to

    def _target(self, kind: str, session: Session, to: int | None) -> Version:
        found = None if to is None else self._sessions.version(session.id, to)
        if found is None:
            raise Conflict(f"there is nothing to {kind}")
        return found

    def _refuse_lost(self, kind: str, session: Session, target: Version) -> None:
        """Raise Conflict if data of the target is not stored, or another version of the engine wrote it.

        What the newest version has too is not looked for.
        """
        if engine_of(target.snapshot) != self._publishing.engine:
            raise Conflict(
                f"version {target.number} was computed by another engine ({engine_of(target.snapshot)}), so there is "
                f"nothing left to {kind}"
            )
        lost = self._data.missing(session.id, maps=[target.map], snapshots=[target.snapshot])
        if not lost:
            head, found = (self._publishing.map_of(session.id, each) for each in (str(session.map), target.map))
            lost = self._data.missing(session.id, blocks=sorted(found.digests - head.digests))
        if lost:
            raise Conflict(f"version {target.number} is not kept any more, so there is nothing left to {kind}")

    def _publication(self, session: Session, version: Version, *, before: str | None) -> Publication:
        """Return the publication of the version, with what differs from the map `before`; None if that is lost."""
        after = self._publishing.map_of(session.id, version.map)
        old = WorkbookMap(sheets=(), engine=after.engine)
        if before is not None:
            old = self._publishing.map_of(session.id, before)
        found = Differences(self._data, session.id, old, after)
        changed = version.model_copy(update={"changed": found.ranges})
        return Publication(changed, found.blocks, found.cells)

    def _save(
        self,
        session: Session,
        make: Callable[[Session], SessionChange],
        check: Callable[[Session], None],
        guard: AttemptGuard | None = None,
    ) -> Session:
        try:
            return self._publishing.save(session, make, check=check, guard=guard)
        except VersionMoved as moved:
            message = f"the session has got version {moved.session.version} meanwhile; look at it, then try again"
            raise Conflict(message) from None

    def _newest(self, session: Session, most: int) -> Iterator[Version]:
        before: int | None = None
        while most > 0:
            page = self._sessions.versions(session.id, limit=min(PAGE, most), before=before)
            yield from page
            most -= len(page)
            if len(page) < PAGE:
                return
            before = page[-1].number

    def _is_whole(self, version: Version) -> bool:
        """Return whether all data of the version is stored, and this version of the engine can read it."""
        if engine_of(version.snapshot) != self._publishing.engine:
            return False
        if self._data.missing(version.session_id, maps=[version.map], snapshots=[version.snapshot]):
            return False
        found = self._stored_map(version.session_id, version.map)
        return found is not None and not self._data.missing(version.session_id, blocks=sorted(found.digests))

    def _stored_map(self, session_id: str, digest: str) -> WorkbookMap | None:
        try:
            return decode_map(self._data.map(session_id, digest))
        except DataGone:
            return None


def _refusal(kind: str, guard: AttemptGuard | None) -> Callable[[Session], None]:
    """Return the check whether this may be undone or redone now, by a person or by the attempt with this guard."""

    def check(session: Session) -> None:
        refuse_unless_open(session, guard)
        if guard is None and session.active_job_id is not None:
            raise Conflict(
                f"job {session.active_job_id} is changing the workbook; wait for its end, then {kind}",
                code=ErrorCode.SESSION_BUSY,
                state=session.state,
                active_job_id=session.active_job_id,
            )

    return check


def _refuse_unless_error(session: Session) -> None:
    refuse_unless_possible(session, Request.RECOVER)


def _activated(session: Session, at: datetime) -> SessionChange:
    after = session.model_copy(update={"state": SessionState.ACTIVE, "seq": session.seq + 1, "updated_at": at})
    return SessionChange(session, after, (StateChanged(state=SessionState.ACTIVE),))


def _is_unreadable(session: Session) -> bool:
    """Return whether the snapshot of the newest version was found to be unreadable."""
    return bool(session.errors) and session.errors[-1].code == ErrorCode.DATA_UNREADABLE


def _maker(versions: Mapping[int, Version], version: Version) -> int:
    """Return the number of the version that first had the contents of this one, which was made of an older one.

    A version that was made again has another map; its `step_to` has the same contents.
    """
    same = (each.number for each in versions.values() if each.map == version.map and each.kind in {"load", "change"})
    return max((number for number in same if number < version.number), default=version.step_to or 0)


def _steps(versions: Mapping[int, Version], first: int | None, pointer: str) -> Iterator[int]:
    """Yield the next KEPT_NEWEST versions of undo or redo."""
    number = first
    for _ in range(KEPT_NEWEST):
        if number is None or number not in versions:
            return
        yield number
        number = getattr(versions[number], pointer)
