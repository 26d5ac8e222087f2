"""View and list the runs of an owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import ErrorCode, Forbidden, InvalidInput, NotFound
from shared.jobs.job import Job
from shared.runs.deletion import RunDeletion
from shared.runs.run import Lineage, Run, TransformStatus
from tests.fakes.core import FakeCore
from tests.fakes.runs import FakeRunStore
from tests.unit.runs.song_pipeline import break_off, compose, finish, lineage


def run_id_of(job: Job) -> str:
    return str(job.links.run_id)


class TestViewing:
    def test_a_running_run_shows_its_job_and_the_retries_so_far(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        break_off(core, job, "two", retry=1)
        view = core.songs.view("ada", run_id_of(job))
        assert view.run.status is TransformStatus.RUNNING
        assert view.job is not None
        assert [item.data["line"] for item in view.job.transcript.items.values()] == ["one", "two"]
        assert view.transform is not None
        assert (view.transform.status, view.transform.retry_count) == (TransformStatus.RUNNING, 1)

    def test_a_completed_run_keeps_its_artefacts_after_its_job_has_expired(self) -> None:
        core = FakeCore()
        job = core.new_song()
        compose(core, job, "one")
        finish(core, job, "one")
        core.clock.advance(601)
        assert core.jobs.get(job.id) is None
        view = core.songs.view("ada", run_id_of(job))
        assert (view.run.status, view.job) == (TransformStatus.COMPLETED, None)
        song = view.lineage.latest("song")
        assert song is not None
        assert song.content == {"lines": ["one"]}

    def test_a_run_whose_job_expired_before_it_ended_is_shown_as_failed(self) -> None:
        core = FakeCore()
        job = core.new_song()
        core.clock.advance(8 * 3600)
        assert core.jobs.get(job.id) is None
        view = core.songs.view("ada", run_id_of(job))
        assert (view.run.status, view.job) == (TransformStatus.FAILED, None)
        assert view.transform is not None
        assert view.transform.failure is not None
        assert view.transform.failure.code is ErrorCode.WORKER_LOST
        assert view.lineage.run == view.run

    def test_a_run_whose_job_ends_during_the_view_is_shown_with_its_final_status(self) -> None:
        runs = InterruptedRuns()
        core = FakeCore(runs=runs)
        job = core.new_song()
        break_off(core, job, "one")
        runs.meanwhile = lambda: core.job_cancellation.cancel("ada", job.id)
        view = core.songs.view("ada", run_id_of(job))
        assert (view.run.status, view.job) == (TransformStatus.CANCELLED, None)
        assert view.lineage.latest("song") is not None

    def test_a_run_whose_job_ends_and_resumes_during_the_view_is_shown_as_running(self) -> None:
        runs = InterruptedRuns()
        core = FakeCore(runs=runs)
        job = core.new_song()

        def ends() -> None:
            core.job_cancellation.cancel("ada", job.id)
            runs.then = lambda: core.job_resumption.resume("ada", job.id)

        runs.meanwhile = ends
        view = core.songs.view("ada", run_id_of(job))
        assert view.run.status is TransformStatus.RUNNING
        assert view.job is not None
        assert view.job.job.generation == 2

    @pytest.mark.parametrize("look", [RunDeletion.view, RunDeletion.lineage, RunDeletion.delete])
    def test_another_owners_run_is_forbidden(self, look: Callable[[RunDeletion, str, str], object]) -> None:
        core = FakeCore()
        job = core.new_song()
        with pytest.raises(Forbidden):
            look(core.songs, "bob", run_id_of(job))
        assert lineage(core, job).run.status is TransformStatus.RUNNING
        assert core.songs.list_runs("bob", status=None, limit=5, cursor=None).runs == []

    @pytest.mark.parametrize("look", [RunDeletion.view, RunDeletion.lineage, RunDeletion.delete])
    @pytest.mark.parametrize("run_id", ["run_" + "0" * 26, "run_", "../../etc", "x" * 5000])
    def test_an_unknown_run_is_not_found(self, look: Callable[[RunDeletion, str, str], object], run_id: str) -> None:
        with pytest.raises(NotFound) as refusal:
            look(FakeCore().songs, "ada", run_id)
        assert len(refusal.value.message) < 120

    @pytest.mark.parametrize("look", [RunDeletion.view, RunDeletion.lineage, RunDeletion.delete])
    def test_a_run_of_another_kind_is_not_found(self, look: Callable[[RunDeletion, str, str], object]) -> None:
        core = FakeCore()
        job = core.new_song()
        poems = RunDeletion(kind="poem", runs=core.runs, jobs=core.job_queries, erasure=core.job_erasure)
        with pytest.raises(NotFound):
            look(poems, "ada", run_id_of(job))


class TestListing:
    def test_runs_are_listed_newest_first_by_status(self) -> None:
        core = FakeCore()
        jobs = []
        for _ in range(3):
            jobs.append(core.new_song())
            core.clock.advance(1)
        core.job_cancellation.cancel("ada", jobs[1].id)

        def listed(status: TransformStatus | None, cursor: str | None = None) -> list[str]:
            return [run.id for run in core.songs.list_runs("ada", status=status, limit=5, cursor=cursor).runs]

        newest_first = [run_id_of(job) for job in reversed(jobs)]
        assert listed(None) == newest_first
        assert listed(TransformStatus.RUNNING) == [newest_first[0], newest_first[2]]
        assert listed(TransformStatus.CANCELLED) == [newest_first[1]]
        assert listed(None, newest_first[0]) == newest_first[1:]

    def test_a_cursor_of_another_list_is_refused(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            FakeCore().songs.list_runs("ada", status=None, limit=5, cursor="no cursor")
        assert refusal.value.issues[0].field == "cursor"


class InterruptedRuns(FakeRunStore):
    """A run store that calls `meanwhile` right after the next lineage, and `then` right before the next get."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = lambda: None
        self.then: Callable[[], object] = lambda: None

    def lineage(self, run_id: str) -> Lineage | None:
        found = super().lineage(run_id)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return found

    def get(self, run_id: str) -> Run | None:
        then, self.then = self.then, lambda: None
        then()
        return super().get(run_id)
