"""Sessions with the core on fakes: short ways to create them, to run their jobs, and to read what they say."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any

from shared.apps.sheets.closing import SessionClosing
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.links import LinkedSessions
from shared.apps.sheets.models import SheetAnswer, SheetChatInput, WorkbookLoaded
from shared.apps.sheets.pipeline import SHEET_LOAD
from shared.apps.sheets.queries import SessionQueries
from shared.apps.sheets.session import FileFormat, Inventory, Session, SessionEvent, SessionState, StateChanged, Version
from shared.apps.sheets.session_store import Retained, SessionStore, VersionData
from shared.apps.sheets.side_writes import CHAT, EXPORT, LOAD, SessionJobs
from shared.apps.sheets.sweep import SessionSweep
from shared.apps.sheets.uploads import NewFile, SessionUploads
from shared.apps.sheets.work import Origin, SessionWork
from shared.apps.sheets.workbook import SheetInfo
from shared.errors import MillraceError
from shared.jobs.creation import NewJob
from shared.jobs.job import Job, JobLinks, JobStatus, LinkKind
from shared.jobs.pipeline import JobInput, Pipeline, Pipelines
from shared.jobs.store import JobStore
from tests.fakes.checkpoints import FakeCheckpointStore
from tests.fakes.clock import SettableClock
from tests.fakes.core import POEM, FakeCore, ScriptedStage, fails, says
from tests.fakes.event_log import FakeEventLog
from tests.fakes.sessions import FakeSessionStore
from tests.fakes.workbook_data import FakeWorkbookData

OWNER = "ada"
FILE = NewFile("Sales.xlsx", 4)
SHEETS = (SheetInfo(id=1, name="Sales", rows=3, columns=2),)
CHATTING = Pipeline(CHAT, SheetChatInput, SheetAnswer, ("prepare_message", "answer_message"))
EXPORTING = Pipeline(EXPORT, JobInput, SheetAnswer, ("export_workbook",))


class SessionWorld:
    """The services of sessions on fakes, or on the stores of another implementation."""

    def __init__(
        self, *, sessions: SessionStore | None = None, jobs: JobStore | None = None, clock: SettableClock | None = None
    ) -> None:
        self.clock = clock or SettableClock()
        self.store: SessionStore = sessions or FakeSessionStore()
        self.data = FakeWorkbookData(clock=self.clock)
        checkpoints, log = FakeCheckpointStore(), FakeEventLog()
        self.side_writes = SessionJobs(self.store, checkpoints=checkpoints, event_log=log)
        own = (LOAD, CHAT, EXPORT)
        self.core = FakeCore(
            clock=self.clock,
            jobs=jobs,
            event_log=log,
            checkpoints=checkpoints,
            pipelines=Pipelines(SHEET_LOAD, CHATTING, EXPORTING, POEM),
            side_writes=dict.fromkeys(own, (self.side_writes,)),
            linked_entities={LinkKind.SESSION: (LinkedSessions(self.store, own_pipelines=own),)},
        )
        self.core.ports.job_creations_per_minute = 10_000
        self.health = SessionHealth(sessions=self.store, data=self.data, clock=self.clock)
        self.queries = SessionQueries(self.store)
        self.uploads = SessionUploads(sessions=self.store, files=self.data, keys=self.core.keys, clock=self.clock)
        self.work = SessionWork(
            sessions=self.store,
            files=self.data,
            health=self.health,
            jobs=self.core.job_creation,
            recover=lambda session: None,
            can_rebuild=lambda session: False,
            clock=self.clock,
        )
        self.closing = SessionClosing(
            sessions=self.store,
            data=self.data,
            cancellation=self.core.job_cancellation,
            erasure=self.core.job_erasure,
            clock=self.clock,
        )

    # ---- sessions ----------------------------------------------------------------------------------------------------

    def created(self, owner: str = OWNER) -> Session:
        """Return a new session, whose file is uploaded."""
        session, _ = self.uploads.create(owner, None, FILE)
        self.upload(session)
        return session

    def upload(self, session: Session, content: bytes = b"file") -> None:
        self.data.objects[session.source.key] = content

    def active(self, owner: str = OWNER) -> Session:
        """Return a session whose file is loaded."""
        session = self.created(owner)
        self.finish(self.work.load(owner, session.id, Origin()))
        return self.now(session)

    def broken(self) -> Session:
        """Return a session whose load has failed."""
        session = self.created()
        self.fail(self.work.load(OWNER, session.id, Origin()))
        return self.now(session)

    def closed(self) -> Session:
        return self.closing.close(OWNER, self.active().id)

    def in_state(self, state: SessionState) -> Session:
        make = {
            SessionState.INITIALIZING: self.created,
            SessionState.ACTIVE: self.active,
            SessionState.ERROR: self.broken,
            SessionState.CLOSED: self.closed,
        }
        session: Session = make[state]()
        assert session.state is state
        return session

    def now(self, session: Session) -> Session:
        """Return the session as it is stored."""
        found = self.store.get(session.id)
        assert found is not None
        return found

    def events(self, session: Session, *, after: int = 0) -> list[SessionEvent]:
        return [each.event for each in self.store.events(session.id, after=after)]

    def states(self, session: Session) -> Sequence[SessionState]:
        """Return the states of which the session's events tell."""
        return [each.state for each in self.events(session) if isinstance(each, StateChanged)]

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def load(self, session: Session) -> Job:
        return self.work.load(OWNER, session.id, Origin())

    def ask(self, session: Session, text: str = "What is in it?") -> Job:
        return self.work.ask(OWNER, session.id, SheetChatInput(text=text), Origin())

    def export(self, session: Session) -> Job:
        return self.start(session, EXPORT, JobInput())

    def start(self, session: Session, pipeline: str, job_input: JobInput, *, owner: str = OWNER) -> Job:
        """Create a job as `POST /jobs` does."""
        request = NewJob(pipeline, job_input, JobLinks(session_id=session.id))
        return self.core.job_creation.create(owner, request)

    def finish(self, job: Job, text: str = "Three sales.") -> Job:
        """Run all stages of the job and complete it."""
        *before, last = self.core.pipelines[job.pipeline].stages
        for stage in before:
            self.core.run(ScriptedStage(stage, says("")), job)
        output = self._loaded(job) if job.pipeline == LOAD else {"text": text, "outcome": "completed"}
        self.core.run(ScriptedStage(last, says(text, **output)), job)
        self.core.complete(job)
        return self.core.job(job.id)

    def break_off(self, job: Job, text: str) -> None:
        """Run the job's stages until the last one has written the text and fails."""
        *before, last = self.core.pipelines[job.pipeline].stages
        for stage in before:
            self.core.run(ScriptedStage(stage, says("")), job)
        with contextlib.suppress(MillraceError):
            self.core.run(ScriptedStage(last, fails(MillraceError("broken"), after=text)), job)

    def fail(self, job: Job, error: str = "UnusableFile") -> Job:
        self.core.record_failure(job, error)
        return self.core.job(job.id)

    def cancel(self, job: Job) -> Job:
        return self.core.job_cancellation.cancel(job.owner, job.id)

    def _loaded(self, job: Job) -> dict[str, Any]:
        """Store the data of the session's next version, and return what the stage returns that loads it."""
        session_id = str(job.links.session_id)
        session = self.store.get(session_id)
        number = session.version + 1 if session else 1
        content = f"map {number}".encode()
        digest = hashlib.sha256(content).hexdigest()[:24]
        data = VersionData({}, digest, content, f"snapshot {number}".encode(), "engine-1")
        snapshot = self.data.store(session_id, data)
        version = Version(
            session_id=session_id,
            number=number,
            kind="load",
            by="user",
            title="Load Sales.xlsx",
            map=digest,
            snapshot=snapshot,
            sheets=SHEETS,
            created_at=self.clock(),
        )
        source = (session or self.created()).source.model_copy(update={"etag": "e", "format": FileFormat.XLSX})
        loaded = WorkbookLoaded(version=version, blocks=(), source=source, inventory=Inventory(mode="computed"))
        return loaded.model_dump(mode="json")

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def check(self, session: Session) -> None:
        """Check that the session agrees with its jobs, and that its events have no gaps."""
        stored = self.store.get(session.id)
        if stored is None:
            return
        numbered = self.store.events(session.id, after=0)
        assert [each.seq for each in numbered] == list(range(1, stored.seq + 1))
        states = [each.event.state for each in numbered if isinstance(each.event, StateChanged)]
        assert states[-1] is stored.state
        live = []
        for entry in self.store.jobs(session.id, limit=100):
            job = self.core.jobs.get(entry.job_id)
            if job is None:
                continue
            assert JobStatus(entry.status).ended == job.status.ended, entry
            assert not job.status.ended or entry.status == job.status
            if not job.status.ended and job.pipeline != EXPORT:
                live.append(job.id)
        assert live == ([stored.active_job_id] if stored.active_job_id else [])
        self._check_version(stored)

    def _check_version(self, session: Session) -> None:
        numbers = [each.number for each in self.store.versions(session.id, limit=100)]
        assert numbers == list(range(session.version, 0, -1))
        assert session.state is not SessionState.ACTIVE or session.version > 0
        if numbers:
            newest = self.store.version(session.id, session.version)
            assert newest is not None
            assert (session.map, session.snapshot, session.sheets) == (newest.map, newest.snapshot, newest.sheets)


def sweep_of(world: SessionWorld) -> SessionSweep:
    """Return a sweep that keeps the newest version of each session."""

    def newest(session: Session) -> Retained:
        return Retained(frozenset(), frozenset({str(session.map)}), frozenset({str(session.snapshot)}))

    return SessionSweep(
        sessions=world.store, data=world.data, closing=world.closing, retained=newest, clock=world.clock
    )
