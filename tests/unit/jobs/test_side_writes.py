"""Side writes of several contributors: all are written with the job's transition, or none is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from shared.errors import Conflict, FieldIssue, InvalidInput, StorageThrottled
from shared.jobs.job import Job, JobStatus
from shared.jobs.side_writes import MAX_ATTEMPTS, SideWrites, TooManySideWrites
from shared.jobs.store import MOST_SIDE_WRITES, JobFilter, PreparedWrites
from shared.runs.run import TransformStatus
from tests.fakes.core import FakeCore, a_request
from tests.fakes.transactions import FakeWrite
from tests.unit.runs.song_pipeline import break_off, compose, finish, lineage


class Album:
    """Contribute to songs: an album lists its songs with their statuses. `meanwhile` runs after each preparation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.songs: dict[str, JobStatus] = {}
        self.revision = 0
        self.closed = False
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def on_creation(self, job: Job) -> PreparedWrites:
        if self.closed:
            raise InvalidInput([FieldIssue("links.projectId", "must be the id of an open album")])
        return self._prepared(job)

    def on_transition(self, job: Job) -> PreparedWrites | None:
        if self.closed and job.status is JobStatus.PENDING:
            raise Conflict("the album is closed, so its songs cannot be resumed")
        return None if self.songs.get(job.id) == job.status else self._prepared(job)

    def change(self) -> None:
        self.revision += 1

    def close(self) -> None:
        self.closed = True
        self.change()

    def _prepared(self, job: Job) -> PreparedWrites:
        self.asked += 1
        revision = self.revision

        def write() -> None:
            self.songs[job.id] = job.status
            self.change()

        prepared = PreparedWrites((FakeWrite("album", self._lock, lambda: self.revision == revision, write),))
        self.meanwhile()
        return prepared


def album_and_core(*others: SideWrites) -> tuple[Album, FakeCore]:
    album = Album()
    return album, FakeCore(side_writes={"song": (album, *others)})


def jobs_of(core: FakeCore) -> list[Job]:
    return list(core.jobs.list_owned("ada", where=JobFilter(), limit=10, cursor=None).jobs)


def runs_of(core: FakeCore) -> int:
    return len(core.run_queries("song").list_runs("ada", status=None, limit=10, cursor=None).runs)


def once(action: Callable[[], None]) -> Callable[[], None]:
    actions = [action]
    return lambda: actions.pop()() if actions else None


class TestCreation:
    def test_every_contributor_writes_with_the_new_job(self) -> None:
        album, core = album_and_core()
        job = core.new_song()
        assert album.songs == {job.id: JobStatus.PENDING}
        assert lineage(core, job).run.status is TransformStatus.RUNNING

    def test_only_the_contributors_of_the_jobs_own_pipeline_are_asked(self) -> None:
        album, core = album_and_core()
        job = core.job_creation.create("ada", a_request())
        core.job_cancellation.cancel("ada", job.id)
        assert album.asked == 0

    def test_if_the_condition_of_one_does_not_hold_all_are_prepared_again(self) -> None:
        album, core = album_and_core()
        runs_before_the_second_attempt: list[int] = []

        def meanwhile() -> None:
            if album.asked == 1:
                album.change()
            else:
                runs_before_the_second_attempt.append(runs_of(core))

        album.meanwhile = meanwhile
        job = core.new_song()
        assert runs_before_the_second_attempt == [0]
        assert album.songs == {job.id: JobStatus.PENDING}
        assert [each.id for each in jobs_of(core)] == [job.id]
        assert runs_of(core) == 1

    def test_nothing_is_stored_if_the_conditions_never_hold(self) -> None:
        album, core = album_and_core()
        album.meanwhile = album.change
        with pytest.raises(StorageThrottled):
            core.new_song()
        assert album.asked == MAX_ATTEMPTS
        assert (jobs_of(core), runs_of(core), album.songs) == ([], 0, {})

    @pytest.mark.parametrize("between_the_read_and_the_write", [False, True])
    def test_a_refusal_reaches_the_client_and_nothing_is_stored(self, between_the_read_and_the_write: bool) -> None:
        album, core = album_and_core()
        if between_the_read_and_the_write:
            album.meanwhile = once(album.close)
        else:
            album.close()
        with pytest.raises(InvalidInput) as refusal:
            core.job_creation.create("ada", a_request(pipeline="song"), idempotency_key="k")
        assert [issue.field for issue in refusal.value.issues] == ["links.projectId"]
        assert (jobs_of(core), runs_of(core), album.songs) == ([], 0, {})
        album.closed = False
        again = core.job_creation.create("ada", a_request(pipeline="song"), idempotency_key="k")
        assert [each.id for each in jobs_of(core)] == [again.id]

    def test_a_refused_job_does_not_count_as_a_creation(self) -> None:
        album, core = album_and_core()
        album.close()
        for _ in range(core.ports.job_creations_per_minute + 1):
            with pytest.raises(InvalidInput):
                core.new_song()


class TestTransitions:
    def test_every_contributor_writes_with_an_end_and_a_resumption(self) -> None:
        album, core = album_and_core()
        job = core.new_song()
        break_off(core, job, "one")
        core.record_failure(job)
        assert album.songs == {job.id: JobStatus.FAILED}
        assert lineage(core, job).run.status is TransformStatus.FAILED
        core.job_resumption.resume("ada", job.id)
        assert album.songs == {job.id: JobStatus.PENDING}
        assert lineage(core, job).run.status is TransformStatus.RUNNING
        compose(core, job, "two", generation=2)
        finish(core, job, "one", "two", generation=2)
        assert album.songs == {job.id: JobStatus.COMPLETED}
        assert lineage(core, job).run.status is TransformStatus.COMPLETED

    def test_a_contributor_refuses_a_resumption_and_the_job_stays_as_it_was(self) -> None:
        album, core = album_and_core()
        job = core.new_song()
        cancelled = core.job_cancellation.cancel("ada", job.id)
        album.close()
        with pytest.raises(Conflict, match="the album is closed"):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id) == cancelled
        assert lineage(core, job).run.status is TransformStatus.CANCELLED

    def test_each_contributor_adds_what_it_is_missing_after_the_end(self) -> None:
        """A process that repeats an end asks again: the album lacks the end, the run already has it."""
        album, core = album_and_core()
        job = core.new_song()
        core.job_cancellation.cancel("ada", job.id)
        recorded = lineage(core, job)
        album.songs.clear()
        core.job_cancellation.cancel("ada", job.id)
        assert album.songs == {job.id: JobStatus.CANCELLED}
        assert lineage(core, job) == recorded

    def test_nothing_is_written_if_no_contributor_is_missing_anything(self) -> None:
        album, core = album_and_core()
        job = core.new_song()
        cancelled = core.job_cancellation.cancel("ada", job.id)
        revision = album.revision
        core.clock.advance(1)
        core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id) == cancelled
        assert album.revision == revision


class Many:
    """Contribute this number of writes to a new job, each to a separate item."""

    def __init__(self, count: int) -> None:
        self._count = count

    def on_creation(self, _: Job) -> PreparedWrites:
        lock = threading.Lock()
        return PreparedWrites(tuple(FakeWrite(f"item {number}", lock, lambda: True) for number in range(self._count)))

    def on_transition(self, _: Job) -> None:
        return None


class TestSize:
    def test_a_transaction_can_be_as_large_as_dynamodb_permits(self) -> None:
        _, core = album_and_core(Many(MOST_SIDE_WRITES - 2))
        assert core.new_song().status is JobStatus.PENDING

    def test_a_larger_transaction_is_a_defect_that_names_its_contributors(self) -> None:
        album, core = album_and_core(Many(MOST_SIDE_WRITES - 1))
        counts = rf"song has {MOST_SIDE_WRITES + 1} side writes \(RunRecorder 1, Album 1, Many {MOST_SIDE_WRITES - 1}\)"
        with pytest.raises(TooManySideWrites, match=counts):
            core.new_song()
        assert (jobs_of(core), runs_of(core), album.songs) == ([], 0, {})
