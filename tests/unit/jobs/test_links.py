"""Links: what a job is linked to must exist and belong to its owner, until the job is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from shared.errors import CheckpointUnfit, Conflict, InvalidInput
from shared.jobs.ids import new_run_id
from shared.jobs.job import Job, JobLinks, JobStatus, LinkKind
from shared.jobs.store import JobFilter, PreparedWrites
from shared.runs.run import Run
from tests.fakes.clock import SettableClock
from tests.fakes.core import FakeCore, a_request
from tests.fakes.runs import FakeRunStore
from tests.fakes.transactions import FakeWrite


class Sessions:
    """Implements LinkedEntities: the owners of open sessions by id. `meanwhile` runs after each preparation."""

    def __init__(self, **owners: str) -> None:
        self._lock = threading.Lock()
        self.owners = owners
        self.closed: set[str] = set()
        self.asked = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def condition(self, job: Job, entity_id: str) -> PreparedWrites | None:
        self.asked += 1
        if self.owners.get(entity_id) != job.owner:
            return None
        if entity_id in self.closed:
            raise Conflict("the session is closed; open another session")

        def fits() -> bool:
            return entity_id in self.owners and entity_id not in self.closed

        self.meanwhile()
        return PreparedWrites((FakeWrite(f"session {entity_id}", self._lock, fits),))


class CountingRuns(FakeRunStore):
    """A run store that counts its reads."""

    reads = 0

    def get(self, run_id: str) -> Run | None:
        self.reads += 1
        return super().get(run_id)


def core_with(*sessions: Sessions) -> FakeCore:
    return FakeCore(linked_entities={LinkKind.SESSION: sessions})


def create(core: FakeCore, **links: str) -> Job:
    return core.job_creation.create("ada", a_request(links=JobLinks.model_validate(links)))


def refused_links(core: FakeCore, **links: str) -> dict[str, str]:
    """Return the rules that the links break, and check that nothing was stored."""
    stored = jobs_of(core)
    with pytest.raises(InvalidInput) as refusal:
        create(core, **links)
    assert jobs_of(core) == stored
    return {issue.field: issue.rule for issue in refusal.value.issues}


def jobs_of(core: FakeCore) -> list[Job]:
    return list(core.jobs.list_owned("ada", where=JobFilter(), limit=50, cursor=None).jobs)


NO_SESSION = {"links.sessionId": "must be the id of one of your sessions; you have no session with this id"}
NO_RUN = {"links.runId": "must be the id of one of your runs; you have no run with this id"}


class TestCreation:
    def test_a_job_is_linked_to_its_owners_session(self) -> None:
        core = core_with(Sessions(s1="ada"))
        assert create(core, session_id="s1").links == JobLinks(session_id="s1")

    @pytest.mark.parametrize("session", ["missing", "bobs"])
    def test_an_unknown_session_and_another_users_get_the_same_error(self, session: str) -> None:
        assert refused_links(core_with(Sessions(bobs="bob")), session_id=session) == NO_SESSION

    def test_a_session_that_is_removed_before_the_job_is_stored_is_refused(self) -> None:
        sessions = Sessions(s1="ada")
        sessions.meanwhile = sessions.owners.clear
        assert refused_links(core_with(sessions), session_id="s1") == NO_SESSION
        assert sessions.asked == 2

    def test_a_session_that_is_closed_before_the_job_is_stored_takes_no_job(self) -> None:
        sessions = Sessions(s1="ada")
        sessions.meanwhile = lambda: sessions.closed.add("s1")
        core = core_with(sessions)
        with pytest.raises(Conflict, match="the session is closed; open another session"):
            create(core, session_id="s1")
        assert jobs_of(core) == []

    def test_an_id_is_accepted_unread_where_no_application_owns_its_kind(self) -> None:
        job = create(core_with(Sessions()), project_id="my own")
        assert job.links.project_id == "my own"

    def test_each_application_with_such_entities_is_asked_until_one_has_the_entity(self) -> None:
        first, second, third = Sessions(s1="bob"), Sessions(s1="ada"), Sessions(s1="ada")
        create(core_with(first, second, third), session_id="s1")
        assert (first.asked, second.asked, third.asked) == (1, 1, 0)

    def test_a_job_without_links_reads_nothing_more(self) -> None:
        sessions, runs = Sessions(), CountingRuns()
        core = FakeCore(runs=runs, linked_entities={LinkKind.SESSION: (sessions,)})
        create(core)
        assert (sessions.asked, runs.reads) == (0, 0)


class TestRuns:
    def test_a_job_is_linked_to_its_owners_run(self) -> None:
        core = FakeCore()
        run_id = str(core.new_song().links.run_id)
        assert create(core, run_id=run_id).links.run_id == run_id

    def test_a_run_that_does_not_exist_or_is_another_users_is_refused(self) -> None:
        core = FakeCore()
        bobs = core.job_creation.create("bob", a_request(pipeline="song"))
        for run_id in (new_run_id(0), "not a run id", str(bobs.links.run_id)):
            assert refused_links(core, run_id=run_id) == NO_RUN

    def test_a_run_that_is_being_deleted_is_refused(self) -> None:
        core = FakeCore()
        run_id = str(core.new_song().links.run_id)
        core.runs.hide(run_id)
        assert refused_links(core, run_id=run_id) == NO_RUN

    def test_a_run_that_is_deleted_before_the_job_is_stored_is_refused(self) -> None:
        core = FakeCore()
        run_id = str(core.new_song().links.run_id)
        prepared = core.runs.prepare_presence(run_id)
        core.runs.hide(run_id)
        assert [write.fits() for write in prepared.writes] == [False]

    def test_the_job_that_creates_a_run_is_not_checked_against_it(self) -> None:
        core = FakeCore()
        job = core.new_song()
        core.job_cancellation.cancel("ada", job.id)
        assert core.job_resumption.resume("ada", job.id).status is JobStatus.PENDING


class TestResumption:
    def cancelled(self, core: FakeCore) -> Job:
        return core.job_cancellation.cancel("ada", create(core, session_id="s1").id)

    def test_a_resumed_job_is_checked_again(self) -> None:
        sessions = Sessions(s1="ada")
        core = core_with(sessions)
        job = self.cancelled(core)
        assert sessions.asked == 1  # an end checks nothing
        assert core.job_resumption.resume("ada", job.id).status is JobStatus.PENDING
        assert sessions.asked == 2

    def test_a_resumed_job_stays_listed_under_its_links_until_its_new_expiry(self) -> None:
        core = core_with(Sessions(s1="ada"))
        job = self.cancelled(core)
        core.clock.advance(100)
        resumed = core.job_resumption.resume("ada", job.id)
        assert resumed.expires_at > job.expires_at
        assert core.jobs.renewed == {job.id: resumed.expires_at}

    def test_resumptions_that_a_removed_session_refuses_do_not_count(self) -> None:
        sessions = Sessions(s1="ada")
        core = core_with(sessions)
        job = self.cancelled(core)
        sessions.owners.clear()
        for _ in range(core.ports.job_creations_per_minute + 1):
            with pytest.raises(CheckpointUnfit):
                core.job_resumption.resume("ada", job.id)

    def test_a_job_whose_session_was_removed_cannot_be_resumed(self) -> None:
        sessions = Sessions(s1="ada")
        core = core_with(sessions)
        job = self.cancelled(core)
        sessions.owners.clear()
        with pytest.raises(CheckpointUnfit, match="belongs to session s1, which no longer exists; create a new job"):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id) == job

    def test_a_session_that_is_closed_before_the_resumption_is_stored_takes_no_job(self) -> None:
        sessions = Sessions(s1="ada")
        core = core_with(sessions)
        job = self.cancelled(core)
        sessions.meanwhile = lambda: sessions.closed.add("s1")
        with pytest.raises(Conflict, match="the session is closed"):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id) == job

    def test_a_job_whose_session_was_removed_can_still_end(self) -> None:
        sessions = Sessions(s1="ada")
        core = core_with(sessions)
        job = create(core, session_id="s1")
        sessions.owners.clear()
        assert core.job_cancellation.cancel("ada", job.id).status is JobStatus.CANCELLED


class TestCancelLinked:
    def test_all_live_jobs_of_a_session_are_cancelled_and_no_others(self) -> None:
        core = FakeCore(linked_entities={LinkKind.SESSION: (Sessions(s1="ada", s2="ada"),)}, clock=SettableClock())
        core.ports.job_creations_per_minute = 1000
        live = [create(core, session_id="s1", project_id="p") for _ in range(103)]
        ended = core.job_cancellation.cancel("ada", create(core, session_id="s1").id)
        others = [create(core, session_id="s2"), create(core), core.new_job(owner="bob", links=live[0].links)]
        cancelled = core.job_cancellation.cancel_linked("ada", LinkKind.SESSION, "s1")
        assert {job.id for job in cancelled} == {job.id for job in live}
        assert {core.job(job.id).status for job in live} == {JobStatus.CANCELLED}
        assert core.job(ended.id) == ended
        assert {core.job(job.id).status for job in others} == {JobStatus.PENDING}
        assert core.job_cancellation.cancel_linked("ada", LinkKind.SESSION, "s1") == []

    def test_a_job_that_ends_between_the_list_and_its_cancellation_is_left_as_it_is(self) -> None:
        core = core_with(Sessions(s1="ada"))
        job = create(core, session_id="s1")
        read = core.jobs.list_owned

        def list_owned(*of: object, **how: object) -> object:
            page = read(*of, **how)  # type: ignore[arg-type]  # passes them on
            core.record_failure(job)
            return page

        core.jobs.list_owned = list_owned  # type: ignore[assignment, method-assign]
        assert core.job_cancellation.cancel_linked("ada", LinkKind.SESSION, "s1") == []
        assert core.job(job.id).status is JobStatus.FAILED
