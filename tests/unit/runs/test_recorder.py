"""The recorder: each transition of a job changes its run too, and the run keeps the job's result or items."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import ErrorCode, MillraceError, StorageThrottled
from shared.jobs.executions import ExecutionState, NotStarted
from shared.jobs.ids import new_run_id
from shared.jobs.job import Job, JobLinks, JobStatus
from shared.jobs.pipeline import STAGE_SECONDS
from shared.jobs.side_writes import MAX_ATTEMPTS
from shared.jobs.store import JobGuard
from shared.log.event_log import Batch, LogTail
from shared.log.events import TERMINAL, Item
from shared.log.fence import Fence
from shared.runs.recorder import transform_id_of
from shared.runs.run import Run, TransformStatus
from tests.fakes.clock import EXPIRES_AT, NOON
from tests.fakes.core import FakeCore, ScriptedStage, a_job, a_request, says
from tests.fakes.event_log import FakeEventLog
from tests.fakes.runs import FakeRunStore
from tests.fakes.transactions import write_all
from tests.unit.runs.song_pipeline import break_off, compose, finish, lineage, songs


class TestCreation:
    def test_a_new_job_creates_its_run_with_the_input_as_an_artefact(self) -> None:
        core = FakeCore()
        job = core.new_song(topic="rain")
        found = lineage(core, job)
        assert (found.run.owner, found.run.kind, found.run.title) == ("ada", "song", "A song of rain")
        assert (found.run.status, found.run.revision, found.run.created_at) == (TransformStatus.RUNNING, 1, NOON)
        (transform,) = found.transforms
        assert (transform.id, transform.job_id, transform.status) == (
            transform_id_of(job),
            job.id,
            TransformStatus.RUNNING,
        )
        assert (transform.model, transform.max_retries) == ("scripted-1", 2)
        assert (transform.inputs, transform.outputs) == ({"parameters": "parameters.v1"}, {})
        (parameters,) = found.artefacts
        assert (parameters.ref, parameters.content, parameters.transform_id) == (
            "parameters.v1",
            {"topic": "rain"},
            None,
        )

    def test_a_repeat_with_the_same_key_creates_one_run(self) -> None:
        core = FakeCore()
        first, again = (
            core.job_creation.create("ada", a_request(pipeline="song"), idempotency_key="k") for _ in range(2)
        )
        assert first == again
        page = core.songs.list_runs("ada", status=None, limit=5, cursor=None)
        assert [run.id for run in page.runs] == [first.links.run_id]

    def test_a_pipeline_without_runs_creates_none_and_changes_none(self) -> None:
        core = FakeCore()
        song = core.new_song()
        before = lineage(core, song)
        job = core.job_creation.create("ada", a_request(links=JobLinks(run_id=song.links.run_id)))
        core.job_cancellation.cancel("ada", job.id)
        assert lineage(core, song) == before
        assert len(core.songs.list_runs("ada", status=None, limit=5, cursor=None).runs) == 1

    def test_a_job_and_its_run_fail_if_the_execution_does_not_start(self) -> None:
        core = FakeCore()
        core.executions.refusal = "no capacity"
        with pytest.raises(NotStarted) as refusal:
            core.new_song()
        found = lineage(core, refusal.value.job)
        assert found.run.status is TransformStatus.FAILED
        (transform,) = found.transforms
        assert transform.failure is not None
        assert transform.failure.code is ErrorCode.EXECUTION_NOT_STARTED


class TestEnding:
    def test_a_completed_jobs_result_becomes_an_artefact(self) -> None:
        core = FakeCore()
        job = core.new_song()
        compose(core, job, "one", "two")
        core.clock.advance(3)
        finish(core, job, "two", "one")
        found = lineage(core, job)
        assert (found.run.status, found.run.revision) == (TransformStatus.COMPLETED, 2)
        assert found.run.updated_at == core.clock()
        (transform,) = found.transforms
        assert (transform.status, transform.ended_at) == (TransformStatus.COMPLETED, core.clock())
        assert (transform.inputs, transform.outputs) == ({"parameters": "parameters.v1"}, {"song": "song.v1"})
        song = found.latest("song")
        assert song is not None
        assert (song.content, song.transform_id) == ({"lines": ["two", "one"]}, transform.id)

    def test_a_failed_jobs_run_has_its_items_and_the_reason(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one", "two")
        core.record_failure(job)
        found = lineage(core, job)
        assert found.run.status is TransformStatus.FAILED
        (transform,) = found.transforms
        assert transform.outputs == {"song": "song.v1"}
        assert transform.failure is not None
        assert (transform.failure.code, transform.failure.stack_trace) == (ErrorCode.MODEL_UNAVAILABLE, None)
        assert songs(core, job) == [["one", "two"]]

    def test_a_job_that_fails_without_items_makes_no_artefact(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job)
        core.record_failure(job)
        found = lineage(core, job)
        assert (found.run.status, songs(core, job)) == (TransformStatus.FAILED, [])
        assert found.transforms[0].outputs == {}

    def test_a_cancelled_jobs_run_has_its_items(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        core.job_cancellation.cancel("ada", job.id)
        assert lineage(core, job).run.status is TransformStatus.CANCELLED
        assert songs(core, job) == [["one"]]

    @pytest.mark.parametrize("state", [ExecutionState.UNKNOWN, ExecutionState.ENDED])
    def test_the_sweep_fails_a_job_and_its_run(self, state: ExecutionState) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        core.executions.states[job.id] = state
        core.clock.advance(STAGE_SECONDS + 1)
        assert core.job_sweep.run().ended == (job.id,)
        assert lineage(core, job).run.status is TransformStatus.FAILED
        assert songs(core, job) == [["one"]]

    def test_recording_a_failure_again_does_not_change_the_run(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        core.record_failure(job)
        before = lineage(core, job)
        core.clock.advance(1)
        core.record_failure(job)
        assert lineage(core, job) == before

    def test_the_run_gets_the_retry_count_that_the_job_has_at_its_end(self) -> None:
        core = FakeCore()
        seen = core.new_song()
        core.clock.advance(1)
        break_off(core, seen, "one")
        core.clock.advance(1)
        break_off(core, seen, "two", retry=1)
        core.job_ender.end(seen, JobStatus.CANCELLED)
        assert lineage(core, seen).transforms[0].retry_count == 1


class TestResuming:
    def test_a_resumed_job_uses_the_same_transform_and_makes_the_next_version(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        core.record_failure(job)
        resumed = core.job_resumption.resume("ada", job.id)
        found = lineage(core, job)
        assert found.run.status is TransformStatus.RUNNING
        (transform,) = found.transforms
        assert (transform.status, transform.failure, transform.ended_at) == (TransformStatus.RUNNING, None, None)
        assert transform.outputs == {"song": "song.v1"}

        compose(core, resumed, "two", generation=2)
        finish(core, resumed, "one", "two", generation=2)
        found = lineage(core, job)
        assert found.run.status is TransformStatus.COMPLETED
        assert [each.outputs for each in found.transforms] == [{"song": "song.v2"}]
        assert songs(core, job) == [["one"], ["one", "two"]]

    def test_an_unchanged_artefact_is_not_stored_again(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        core.record_failure(job)
        for generation in (2, 3):
            resumed = core.job_resumption.resume("ada", job.id)
            core.job_cancellation.cancel("ada", job.id)
            assert resumed.generation == generation
        found = lineage(core, job)
        assert (found.run.status, found.run.versions) == (TransformStatus.CANCELLED, {"parameters": 1, "song": 1})
        assert [each.outputs for each in found.transforms] == [{"song": "song.v1"}]


class InterruptedRuns(FakeRunStore):
    """A run store that calls `meanwhile` right after each of the first `times` reads of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def get(self, run_id: str) -> Run | None:
        found = super().get(run_id)
        if self.times:
            self.times -= 1
            self.meanwhile()
        return found


def change_run(core: FakeCore, job: Job) -> None:
    """Write the run's next revision, as another job's transition does."""
    found = lineage(core, job)
    run = found.run.model_copy(update={"revision": found.run.revision + 1, "title": f"change {found.run.revision}"})
    write_all(core.runs.prepare_revision(run, found.transforms[0], ()))


class TestConcurrentWrites:
    def test_the_recorder_prepares_its_write_again_when_the_run_changed_meanwhile(self) -> None:
        runs = InterruptedRuns()
        core = FakeCore(runs=runs)
        job = core.new_song()
        break_off(core, job, "one")
        runs.times, runs.meanwhile = 2, lambda: change_run(core, job)
        core.job_cancellation.cancel("ada", job.id)
        found = lineage(core, job)
        assert (found.run.status, found.run.revision, found.run.title) == (TransformStatus.CANCELLED, 4, "change 2")
        assert songs(core, job) == [["one"]]

    def test_a_run_that_always_changes_is_a_transient_fault_and_the_job_stays_live(self) -> None:
        runs = InterruptedRuns()
        core = FakeCore(runs=runs)
        job = core.new_song()
        runs.times, runs.meanwhile = MAX_ATTEMPTS, lambda: change_run(core, job)
        with pytest.raises(StorageThrottled):
            core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id).status is JobStatus.PENDING
        assert lineage(core, job).run.status is TransformStatus.RUNNING
        core.job_cancellation.cancel("ada", job.id)
        assert lineage(core, job).run.status is TransformStatus.CANCELLED

    def test_a_run_that_is_deleted_during_its_job_stays_deleted_and_the_job_ends(self) -> None:
        core = FakeCore()
        job = core.new_song()
        compose(core, job, "one")
        core.runs.hide(str(job.links.run_id))
        core.runs.remove(str(job.links.run_id))
        finish(core, job, "one")
        assert core.job(job.id).status is JobStatus.COMPLETED
        assert core.runs.lineage(str(job.links.run_id)) is None

    def test_a_run_that_is_hidden_while_its_job_ends_does_not_change(self) -> None:
        runs = InterruptedRuns()
        core = FakeCore(runs=runs)
        job = core.new_song()
        break_off(core, job, "one")
        runs.times, runs.meanwhile = 1, lambda: core.runs.hide(str(job.links.run_id))
        core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id).status is JobStatus.CANCELLED
        assert (lineage(core, job).run.status, songs(core, job)) == (TransformStatus.RUNNING, [])

    def test_the_run_has_an_item_that_is_added_during_the_cancellation(self) -> None:
        log = LogWithLateItem()
        core = FakeCore(event_log=log)
        job = core.new_song()
        break_off(core, job, "one")
        log.job_id = job.id
        core.job_cancellation.cancel("ada", job.id)
        assert list(core.transcript(job).items) == ["line-1", "line-2"]
        assert songs(core, job)[-1] == ["one", "two"]
        assert lineage(core, job).run.status is TransformStatus.CANCELLED
        assert lineage(core, job).transforms[0].outputs == {"song": f"song.v{len(songs(core, job))}"}

    def test_the_run_of_a_job_that_is_resumed_right_after_its_end_is_running(self) -> None:
        log = LogWithLateItem()
        core = FakeCore(event_log=log)
        job = core.new_song()
        break_off(core, job, "one")
        log.job_id = job.id
        log.then = lambda: core.job_resumption.resume("ada", job.id)
        core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id).generation == 2
        assert lineage(core, job).run.status is TransformStatus.RUNNING

    def test_a_job_that_is_linked_to_another_jobs_run_does_not_change_it(self) -> None:
        """Clients could send such links before pipelines created their own runs."""
        core = FakeCore()
        ballad = core.new_song()
        linked = core.new_job(pipeline="song", owner="bob", links=ballad.links)
        core.job_cancellation.cancel("bob", linked.id)
        assert lineage(core, ballad).run.status is TransformStatus.RUNNING
        unknown = a_job(pipeline="song", links=JobLinks(run_id=new_run_id(0)))
        assert core.side_writes.on_transition(unknown) is None


class LogWithLateItem(FakeEventLog):
    """An event log in which a stage adds an item after the job has ended and before the terminal event."""

    def __init__(self) -> None:
        super().__init__()
        self.job_id: str | None = None
        self.then: Callable[[], object] = lambda: None

    def tail(self, job_id: str) -> LogTail:
        if job_id == self.job_id:
            self.job_id = None
            end = super().tail(job_id)
            item = Item(stage="compose", key="line-2", data={"line": "two"}, text_length=0)
            super().append(
                job_id, Batch(end.seq + 1, (item,), end.fence or Fence(1, 0, 0, "a"), NOON, expires_at=EXPIRES_AT)
            )
        return super().tail(job_id)

    def append(self, job_id: str, batch: Batch) -> int:
        watched = super().append(job_id, batch)
        if batch.events[-1].type in TERMINAL:
            then, self.then = self.then, lambda: None
            then()
        return watched


class TestSweep:
    def test_the_sweep_ends_the_other_jobs_when_one_cannot_be_ended_and_then_fails(self) -> None:
        runs = InterruptedRuns()
        core = FakeCore(runs=runs)
        jobs = [core.new_song() for _ in range(3)]
        core.executions.states = {}
        core.clock.advance(STAGE_SECONDS + 1)

        def fails_once() -> None:
            raise StorageThrottled("busy")

        runs.times, runs.meanwhile = 1, fails_once
        with pytest.raises(MillraceError):
            core.job_sweep.run()
        assert sorted(core.job(job.id).status for job in jobs) == ["failed", "failed", "pending"]
        assert len(core.job_sweep.run().ended) == 1


def test_a_job_that_changes_while_it_ends_is_recorded_with_its_newest_state() -> None:
    """A retry between the read of the job and its end: the guard still holds, but the side write is out of date."""
    runs = InterruptedRuns()
    core = FakeCore(runs=runs)
    job = core.new_song()
    compose(core, job, "one")

    def retried() -> None:
        core.clock.advance(1)
        changes = {"retry_count": 2, "updated_at": core.clock()}
        core.jobs.update(job.id, changes, when=JobGuard())

    runs.times, runs.meanwhile = 1, retried
    core.run(ScriptedStage("arrange", says("", lines=["one"])), job)
    core.complete(job)
    assert lineage(core, job).transforms[0].retry_count == 2 == core.job(job.id).retry_count
    assert lineage(core, job).run.status is TransformStatus.COMPLETED
