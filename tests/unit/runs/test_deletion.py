"""Delete a run with its job."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import JobEnded, NotFound
from shared.jobs.job import Job, JobStatus
from shared.log.events import Cancelled
from shared.log.reader import read_transcript
from shared.stages.stage import StageContext
from tests.fakes.core import FakeCore, ScriptedStage
from tests.fakes.runs import FakeRunStore
from tests.unit.runs.song_pipeline import break_off, compose, finish, songs


def run_id_of(job: Job) -> str:
    return str(job.links.run_id)


class TestDeleting:
    def test_deleting_a_run_also_cancels_and_hides_its_running_job(self) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        core.songs.delete("ada", run_id_of(job))
        with pytest.raises(NotFound):
            core.songs.view("ada", run_id_of(job))
        with pytest.raises(NotFound):
            core.job_queries.view("ada", job.id)
        assert core.executions.stopped == [job.id]
        assert core.songs.list_runs("ada", status=None, limit=5, cursor=None).runs == []

    def test_a_run_can_be_deleted_after_its_job_has_expired(self) -> None:
        core = FakeCore()
        job = core.new_song()
        compose(core, job, "one")
        finish(core, job, "one")
        core.clock.advance(601)
        core.songs.delete("ada", run_id_of(job))
        assert core.runs.lineage(run_id_of(job)) is None
        assert core.executions.stopped == []

    def test_a_repeat_finishes_an_interrupted_deletion_whose_job_has_ended(self) -> None:
        runs = FirstRemovalFails()
        core = FakeCore(runs=runs)
        job = core.new_song()
        with pytest.raises(ConnectionError):
            core.songs.delete("ada", run_id_of(job))
        assert core.executions.stopped == [job.id]
        with pytest.raises(NotFound):
            core.songs.view("ada", run_id_of(job))
        core.songs.delete("ada", run_id_of(job))
        assert core.runs.get(run_id_of(job)) is None
        with pytest.raises(NotFound):
            core.songs.delete("ada", run_id_of(job))

    def test_a_repeat_of_an_interrupted_deletion_also_ends_a_job_that_is_still_live(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = core.new_song()
        with monkeypatch.context() as broken:
            broken.setattr(core.job_cancellation, "cancel_and_hide", lambda *_: FirstRemovalFails.breaks())
            with pytest.raises(ConnectionError):
                core.songs.delete("ada", run_id_of(job))
        assert core.job(job.id).status is JobStatus.PENDING
        core.songs.delete("ada", run_id_of(job))
        assert core.jobs.get(job.id) is None
        assert core.runs.get(run_id_of(job)) is None

    @pytest.mark.parametrize("port", ["event_log", "checkpoints", "jobs"])
    def test_a_deleted_run_leaves_nothing_of_its_job_however_often_it_fails_before(
        self, port: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = core.new_song()
        compose(core, job, "a secret line")
        checkpoint = core.job(job.id).checkpoints["compose"]
        with monkeypatch.context() as broken:
            broken.setattr(getattr(core.ports, port), "erase", lambda *_, **__: FirstRemovalFails.breaks())
            for _ in range(2):
                with pytest.raises(ConnectionError):
                    core.songs.delete("ada", run_id_of(job))
        core.songs.delete("ada", run_id_of(job))
        assert core.events(job) == [Cancelled()]
        assert read_transcript(core.log, job.id).text == ""
        with pytest.raises(KeyError):
            core.checkpoints.get(job.id, "compose", checkpoint)
        core.clock.advance(-1)  # so that a job would be visible that is only hidden
        assert core.jobs.get(job.id) is None

    def test_an_attempt_that_still_runs_writes_nothing_after_the_deletion(self) -> None:
        core = FakeCore()
        job = core.new_song()

        async def deletes(context: StageContext) -> dict[str, Any]:
            context.output.write("a secret line")
            await context.output.flush()
            core.songs.delete("ada", run_id_of(job))
            context.output.write("and one more")
            return {}

        with pytest.raises(JobEnded):
            core.run(ScriptedStage("compose", deletes), job)
        assert core.events(job) == [Cancelled()]

    def test_a_deletion_reads_no_transform_and_no_artefact(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_song()
        break_off(core, job, "one")
        monkeypatch.delattr(FakeRunStore, "lineage")
        monkeypatch.delattr(FakeRunStore, "transform")
        core.songs.delete("ada", run_id_of(job))
        assert core.jobs.get(job.id) is None

    def test_deleting_a_run_does_not_change_other_runs(self) -> None:
        core = FakeCore()
        kept, deleted = core.new_song(), core.new_song()
        break_off(core, kept, "one")
        core.job_cancellation.cancel("ada", kept.id)
        core.songs.delete("ada", run_id_of(deleted))
        assert songs(core, kept) == [["one"]]
        assert core.job(kept.id).status is JobStatus.CANCELLED


class FirstRemovalFails(FakeRunStore):
    """A run store whose first removal fails before it removes anything."""

    def __init__(self) -> None:
        super().__init__()
        self.broke = False

    def remove(self, run_id: str) -> None:
        if not self.broke:
            self.broke = True
            self.breaks()
        super().remove(run_id)

    @staticmethod
    def breaks() -> None:
        raise ConnectionError("the process died")
