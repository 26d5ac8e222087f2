"""No order of requests, jobs and kills that Hypothesis finds lets a session and its jobs disagree, on any store."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from shared.apps.sheets.moves import POSSIBLE, Request
from shared.apps.sheets.publication import Publication
from shared.apps.sheets.session import Session, SessionState, Version
from shared.apps.sheets.session_store import SessionChange, StaleSession
from shared.apps.sheets.uploads import NewFile
from shared.apps.sheets.work import Origin
from shared.errors import MillraceError
from shared.jobs.job import Job, LinkKind
from shared.jobs.store import JobFilter
from tests.apps.sheets.session_world import OWNER, SessionWorld
from tests.storage.machines import run_machine
from tests.storage.ports import AwsServer, Ports, adapters, fakes

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

WHICH = st.integers(0, 1)
MEANWHILE = st.sampled_from([None, None, "close", "publish", "cancel", "kill"])
"""What happens right after the next read of a session: another writer, or the end of this process."""


class Killed(BaseException):
    """The process ends."""


class SessionMachine(RuleBasedStateMachine):
    """Two sessions with their owner, jobs, publishers and kills."""

    make_ports: ClassVar[Callable[[], Ports]]

    @initialize()
    def begin(self) -> None:
        self.ports = type(self).make_ports()
        self.world = SessionWorld(sessions=self.ports.sessions, jobs=self.ports.jobs, clock=self.ports.clock)
        self.sessions: list[str] = []
        self.get = self.ports.sessions.get

    # ---- the owner -----------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.sessions) < 2)
    @rule(uploads=st.sampled_from([True, True, False]))
    def create(self, uploads: bool) -> None:
        self.world.clock.advance(0.01)  # ids sort by time
        session, _ = self.world.uploads.create(OWNER, None, NewFile("a.csv", 4))
        self.sessions.append(session.id)
        if uploads:
            self.world.upload(session)

    @precondition(lambda self: self.sessions)
    @rule(which=WHICH, meanwhile=MEANWHILE, name=st.sampled_from(["load", "ask", "recover", "upload"]))
    def request(self, which: int, meanwhile: str | None, name: str) -> None:
        session_id = self.id_of(which)
        send: dict[str, tuple[Request, Callable[[], object]]] = {
            "load": (Request.LOAD, lambda: self.world.work.load(OWNER, session_id, Origin())),
            "ask": (Request.ASK, lambda: self.world.ask(self.named(session_id))),
            "recover": (Request.RECOVER, lambda: self.world.work.recover(OWNER, session_id, Origin())),
            "upload": (Request.UPLOAD, lambda: self.world.uploads.upload_url(OWNER, session_id, NewFile("b", 4))),
        }
        self.world.clock.advance(0.01)
        before = self.get(session_id)
        outcome = self.act(send[name][1], meanwhile, session_id)
        if before is None or before.state not in POSSIBLE[send[name][0]]:
            assert isinstance(outcome, MillraceError | Killed), name

    @precondition(lambda self: self.sessions)
    @rule(which=WHICH, meanwhile=MEANWHILE)
    def close(self, which: int, meanwhile: str | None) -> None:
        self.act(lambda: self.world.closing.close(OWNER, self.id_of(which)), meanwhile, self.id_of(which))

    @precondition(lambda self: self.sessions)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        session_id = self.id_of(which)
        self.act(lambda: self.world.closing.delete(OWNER, session_id), None, session_id)
        assert self.get(session_id) is None
        assert not self.world.store.events(session_id, after=0)
        self.sessions.remove(session_id)

    @precondition(lambda self: self.sessions)
    @rule(which=WHICH)
    def lose_the_data(self, which: int) -> None:
        session = self.get(self.id_of(which))
        if session is not None and session.state is SessionState.ACTIVE:
            self.world.health.lost(session)

    # ---- the jobs ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.jobs())
    @rule(
        which=st.integers(0, 9),
        end=st.sampled_from(["finish", "finish", "fail", "cancel", "resume"]),
        meanwhile=MEANWHILE,
    )
    def go_on(self, which: int, end: str, meanwhile: str | None) -> None:
        jobs = self.jobs()
        job = jobs[which % len(jobs)]
        ends: dict[str, Callable[[], object]] = {
            "finish": lambda: self.finish(job),
            "fail": lambda: self.world.core.record_failure(job, generation=job.generation),
            "cancel": lambda: self.world.cancel(job),
            "resume": lambda: self.world.core.job_resumption.resume(OWNER, job.id),
        }
        self.act(ends[end], meanwhile, str(job.links.session_id))

    @precondition(lambda self: self.sessions)
    @rule(which=WHICH)
    def publish(self, which: int) -> None:
        self.publish_to(self.id_of(which))

    def finish(self, job: Job) -> None:
        """Run the job's stages in its generation, and complete it."""
        if job.generation == 1:
            self.world.finish(job)
        else:
            self.world.core.record_failure(job, generation=job.generation)

    # ---- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def sessions_agree_with_their_jobs(self) -> None:
        for session_id in getattr(self, "sessions", ()):
            self.world.check(self.named(session_id))

    @invariant()
    def only_active_sessions_have_been_loaded(self) -> None:
        for session_id in getattr(self, "sessions", ()):
            session = self.named(session_id)
            states = self.world.states(session)
            assert all(after in LEGAL[before] for before, after in itertools.pairwise(states)), states
            assert states.count(SessionState.CLOSED) <= 1

    # ---- help ----------------------------------------------------------------------------------------------------

    def act(self, action: Callable[[], object], meanwhile: str | None, session_id: str) -> BaseException | None:
        """Run the action; a refusal, and a kill, are outcomes. `meanwhile` happens after its first read."""
        with self.interrupted(meanwhile, session_id):
            try:
                action()
            except (MillraceError, StaleSession, Killed) as outcome:
                return outcome
        return None

    @contextlib.contextmanager
    def interrupted(self, meanwhile: str | None, session_id: str) -> Iterator[None]:
        """Let something happen between the next write to the session and the read before it."""
        prepare, pending = self.ports.sessions.prepare, [meanwhile]

        def prepare_late(change: SessionChange) -> Any:
            event, pending[:] = (pending or [None])[0], []
            if event == "kill":
                raise Killed
            prepared = prepare(change)
            if event is not None:
                with contextlib.suppress(MillraceError):
                    self.happen(event, session_id)
            return prepared

        with patch.object(self.ports.sessions, "prepare", prepare_late):
            yield

    def happen(self, event: str, session_id: str) -> None:
        if event == "close":
            self.world.closing.close(OWNER, session_id)
        elif event == "publish":
            self.publish_to(session_id)
        else:
            self.world.core.job_cancellation.cancel_linked(OWNER, LinkKind.SESSION, session_id)

    def publish_to(self, session_id: str) -> None:
        session = self.get(session_id)
        if session is None or session.state is not SessionState.ACTIVE:
            return
        version = Version(
            session_id=session_id,
            number=session.version + 1,
            kind="change",
            by="user",
            title="Change",
            map=str(session.map),
            snapshot=session.snapshot,
            sheets=session.sheets,
            created_at=self.world.clock(),
        )
        self.world.store.save(Publication(version, ()).change_of(session))

    def id_of(self, which: int) -> str:
        return self.sessions[which % len(self.sessions)]

    def named(self, session_id: str) -> Session:
        session = self.get(session_id)
        assert session is not None
        return session

    def jobs(self) -> list[Job]:
        found = [
            job
            for session_id in self.sessions
            for job in self.ports.jobs.list_owned(
                OWNER, where=JobFilter(session_id=session_id), limit=20, cursor=None
            ).jobs
        ]
        return sorted(found, key=lambda job: job.id)


INITIALIZING, ACTIVE, ERROR, CLOSED = SessionState
LEGAL = {
    INITIALIZING: {INITIALIZING, ACTIVE, ERROR, CLOSED},
    ACTIVE: {ERROR, CLOSED},
    ERROR: {ERROR, ACTIVE, CLOSED},
    CLOSED: set[SessionState](),
}
"""The states to which each state may move."""


def test_a_session_and_its_jobs_agree_on_the_fakes() -> None:
    run_machine(SessionMachine, make_ports=fakes, examples=60, steps=20)


def test_a_session_and_its_jobs_agree_on_dynamodb(server: AwsServer) -> None:
    run_machine(SessionMachine, make_ports=lambda: adapters(server), examples=6, steps=12)
