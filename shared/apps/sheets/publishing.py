"""Publish the changes of a workbook as a new version of its session: exactly once, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from shared.apps.sheets.addresses import parse_area
from shared.apps.sheets.cells import cell_json
from shared.apps.sheets.engine_faults import transient_engine
from shared.apps.sheets.maps import WorkbookMap, changed_blocks, decode_map, encode_map, map_of
from shared.apps.sheets.ops import OPS, Op
from shared.apps.sheets.publication import MOST_CELLS, CellsBySheet, Publication, refuse_unless_active
from shared.apps.sheets.session import Session, SessionState, Version
from shared.apps.sheets.session_store import SessionChange, SessionStore, StaleSession, VersionData, WorkbookData
from shared.apps.sheets.snapshots import open_snapshot
from shared.apps.sheets.workbook import Applied, Engine, Workbook
from shared.clock import Clock
from shared.errors import Conflict, JobEnded, NotFound, StorageThrottled
from shared.stages.attempt_guard import AttemptGuard

MOST_MOVES = 3
"""How often a change is applied again because the session got another version meanwhile."""

MOST_TRIES = 20
"""How often a change is saved again because the session changed in another way meanwhile, such as by a message."""

MOST_OP_BYTES = 100_000
"""The most bytes of a version's changes, as JSON, in its record."""

PAGE = 100
"""How many versions are read at once."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a version does, and for whom.

    `origin` names the tool call (`Version.origin`), and `guard` is that of the attempt that runs it: the version is
    published only while the job is the session's active job and no newer attempt has begun. `after` is a version that
    is older than everything of this origin. `result` returns what the call returns, from what the changes did and the
    number of the version.
    """

    ops: tuple[Op, ...]
    by: Literal["user", "model"]
    title: str
    origin: str | None = None
    guard: AttemptGuard | None = None
    after: int = 0
    result: Callable[[Applied, int], Mapping[str, Any]] | None = None

    @property
    def job_id(self) -> str | None:
        """Return the job that makes the change; None for that of a person."""
        return None if self.guard is None else self.guard.job_id


@dataclass(frozen=True, slots=True)
class Published:
    """A version that is published, the session with it, and its workbook, which the caller closes.

    `applied` is None if another attempt has published the version.
    """

    session: Session
    version: Version
    workbook: Workbook
    applied: Applied | None


Again: TypeAlias = Callable[[Workbook], Change]
"""Checks a change against a newer workbook and returns it, perhaps with other `ops`. Raises WorkbookRefusal."""


class VersionMoved(Exception):
    """The session has got another version since it was read; `session` is the session now."""

    def __init__(self, session: Session) -> None:
        super().__init__(f"the newest version is {session.version} now")
        self.session = session


class Publishing:
    """Publish versions. Everybody who changes a workbook uses it: people, tools and the load of a file."""

    def __init__(self, *, sessions: SessionStore, data: WorkbookData, engine: Engine, clock: Clock) -> None:
        self._sessions = sessions
        self._data = data
        self._engine = engine
        self._clock = clock

    def open(self, session: Session) -> Workbook:
        """Return the workbook of the session's newest version.

        Raises Conflict if the session is not active, DataGone, SnapshotUnreadable, and StorageUnavailable if the
        engine's process has ended.
        """
        refuse_unless_active(session)
        assert session.snapshot is not None  # noqa: S101 - an active session's newest version has one
        with transient_engine():
            return open_snapshot(self._engine, self._data, session.id, session.snapshot)

    def load(self, session: Session, workbook: Workbook, *, title: str) -> Publication:
        """Store the data of a workbook that was loaded from a file, and return its version.

        The version is published when the caller saves it, together with the end of the job that loads it.
        """
        return self._first(session, workbook, None, kind="load", title=title)

    def rebuild(self, session: Session, workbook: Workbook) -> Publication:
        """Store the data of a workbook that has the contents of the newest version, and return its version.

        The workbook was loaded from the session's file, and the session's changes were made again. Raises DataGone if
        the newest version's map is not stored.
        """
        head = self.map_of(session.id, str(session.map))
        title = f"Recover version {session.version}"
        pointers = {"undo_to": session.undo_to, "step_to": session.version}
        return self._first(session, workbook, head, kind="recover", title=title, **pointers)

    @property
    def engine(self) -> str:
        """Return the name and version of the engine."""
        return self._engine.version

    def _first(self, session: Session, workbook: Workbook, base: WorkbookMap | None, **fields: Any) -> Publication:
        """Store the data of a workbook that did not come from a snapshot, and return its version."""
        new, stored = self._store(session, workbook, base=base, ops=())
        version = Version(
            session_id=session.id,
            number=session.version + 1,
            by="user",
            sheets=new.infos,
            created_at=self._clock(),
            **fields,
            **stored,
        )
        return Publication(version, changed_blocks(_nothing(new), new))

    def find(self, session_id: str, origin: str, *, after: int = 0) -> Version | None:
        """Return the version of a tool call, looking at versions with numbers above `after`; None if it made none."""
        before: int | None = None
        while True:
            page = self._sessions.versions(session_id, limit=PAGE, before=before)
            for version in page:
                if version.number <= after:
                    return None
                if version.origin == origin:
                    return version
            if len(page) < PAGE:
                return None
            before = page[-1].number

    def publish(
        self,
        session: Session,
        workbook: Workbook,
        applied: Applied,
        change: Change,
        *,
        again: Again | None = None,
    ) -> Published:
        """Publish a workbook to which the changes were applied as the session's next version.

        `session` is the session as it was when the workbook was opened. If another version was published meanwhile, the
        changes are applied to that one: `again` checks them first. If another attempt has published the version of this
        call, before or meanwhile, return that one. If this fails, the workbook is closed.

        Raises:
            Conflict: the session is not active, or others publish too often.
            JobEnded: the job that makes the change is not the session's active job any more.
            AttemptSuperseded: a newer attempt of the job has begun.
            WorkbookRefusal: the changes cannot be applied to the newer workbook.
            StorageUnavailable: the engine's process has ended.
        """
        with transient_engine(), ExitStack() as failed:
            failed.callback(lambda: workbook.close())  # noqa: PLW0108 - the one that is open then
            moves = 0
            while (done := self._done(session, change)) is None:
                if moves > MOST_MOVES:
                    message = "the workbook is changed by others all the time; read it again and repeat the change"
                    raise Conflict(message)
                if moves:
                    workbook = self._reopen(workbook, session)
                    change = again(workbook) if again is not None else change
                    applied = workbook.apply(change.ops)
                refuse_unless_open(session, change.guard)
                publication = self._publication(session, workbook, applied, change)
                try:
                    saved = self.save(session, publication.change_of, guard=change.guard)
                except VersionMoved as moved:
                    session, moves = moved.session, moves + 1
                else:
                    failed.pop_all()
                    return Published(saved, publication.version, workbook, applied)
            workbook = self._reopen(workbook, session)
            failed.pop_all()
            return Published(session, done, workbook, None)

    def save(
        self,
        session: Session,
        make: Callable[[Session], SessionChange],
        *,
        check: Callable[[Session], None] | None = None,
        guard: AttemptGuard | None = None,
    ) -> Session:
        """Save the change that `make` returns for the session, and return the session after it.

        If the session has changed but has no new version, `check` it and try again. Without a `check` it must be open
        for the attempt with this `guard`.

        Raises:
            VersionMoved: it has a new version.
            NotFound: it was deleted.
            AttemptStopped: the attempt may no longer write.
        """
        for _ in range(MOST_TRIES):
            change = make(session)
            try:
                self._sessions.save(change, also=None if guard is None else guard.condition())
            except StaleSession:
                now = self._sessions.get(session.id)
            else:
                return change.after
            if now is None:
                raise NotFound(f"session {session.id} was not found; it was deleted")
            if now.version != session.version:
                raise VersionMoved(now)
            if check is not None:
                check(now)
            else:
                refuse_unless_open(now, guard)
            if guard is not None:
                guard.check()
            session = now
        raise StorageThrottled("the session is changed by others all the time; try again")

    def map_of(self, session_id: str, digest: str) -> WorkbookMap:
        """Return a map. Raises DataGone."""
        return decode_map(self._data.map(session_id, digest))

    def _done(self, session: Session, change: Change) -> Version | None:
        return None if change.origin is None else self.find(session.id, change.origin, after=change.after)

    def _reopen(self, workbook: Workbook, session: Session) -> Workbook:
        workbook.close()
        return self.open(session)

    def _publication(self, session: Session, workbook: Workbook, applied: Applied, change: Change) -> Publication:
        """Store the workbook's data and return the version that has it."""
        base = self.map_of(session.id, str(session.map))
        new, stored = self._store(session, workbook, base=base, ops=change.ops)
        number = session.version + 1
        version = Version(
            session_id=session.id,
            number=number,
            kind="change",
            by=change.by,
            title=change.title,
            origin=change.origin,
            result=dict(change.result(applied, number)) if change.result is not None else None,
            changed=applied.changed,
            errors_introduced=applied.errors,
            sheets=new.infos,
            undo_to=self._undo_to(session, change),
            step_to=session.version,
            answer=change.job_id,
            created_at=self._clock(),
            **stored,
        )
        return Publication(version, changed_blocks(base, new), _changed_cells(workbook, applied), change.job_id)

    def _undo_to(self, session: Session, change: Change) -> int | None:
        """Return the version that undo returns to after the change: that before the first one of its answer."""
        newest = None if change.job_id is None else self._sessions.version(session.id, session.version)
        return session.undo_to if newest is not None and newest.answer == change.job_id else session.version

    def _store(
        self, session: Session, workbook: Workbook, *, base: WorkbookMap | None, ops: Sequence[Op]
    ) -> tuple[WorkbookMap, dict[str, Any]]:
        """Store the data of a workbook that are not in its base; return its map, and the version's fields with them."""
        with transient_engine():
            scan = workbook.scan(base.digests if base is not None else frozenset())
            snapshot = workbook.snapshot()
        engine = self._engine.version
        new = map_of(workbook.sheets, scan.digests, engine=engine, base=base, ops=ops)
        digest, content = encode_map(new)
        name = self._data.store(session.id, VersionData(scan.new, digest, content, snapshot, engine))
        kept = tuple(ops) if len(OPS.dump_json(tuple(ops))) <= MOST_OP_BYTES else None
        return new, {"map": digest, "snapshot": name, "ops": kept}


def refuse_unless_open(session: Session, guard: AttemptGuard | None) -> None:
    """Raise JobEnded or Conflict if the session is not open for a person, or for the job of the attempt."""
    if guard is not None and (session.state is not SessionState.ACTIVE or session.active_job_id != guard.job_id):
        raise JobEnded("the job has ended, or its session was closed")
    refuse_unless_active(session)


def _changed_cells(workbook: Workbook, applied: Applied) -> CellsBySheet | None:
    """Return the cells of the changed ranges; None if the ranges have more cells than an event may contain."""
    areas = [(changed.sheet, parse_area(changed.range)) for changed in applied.changed]
    ids = {sheet.name: sheet.id for sheet in workbook.sheets}
    if sum(area.size for _, area in areas) > MOST_CELLS or not all(name in ids for name, _ in areas):
        return None
    cells: dict[int, dict[str, Any]] = {}
    for name, area in areas:
        contents = (content for row in workbook.read(name, area) for content in row)
        for cell, content in zip(area.cells(), contents, strict=True):
            cells.setdefault(ids[name], {})[str(cell)] = cell_json(content)
    return cells


def _nothing(workbook: WorkbookMap) -> WorkbookMap:
    return WorkbookMap(sheets=(), engine=workbook.engine)
