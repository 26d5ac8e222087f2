"""View and list the jobs of an owner."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
)
from shared.jobs.checkpoints import StageOutput
from shared.jobs.ids import new_job_id
from shared.jobs.job import CheckpointRef, Job, JobStatus
from shared.jobs.store import JobFilter, JobGuard
from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.events import Delta, Progress
from shared.log.fence import Fence
from tests.fakes.clock import EXPIRES_AT
from tests.fakes.core import FakeCore

ANY = JobFilter()


def append_numbers(core: FakeCore, job: Job) -> None:
    """Append the numbers from 0 to 19, one at a time."""
    fence = Fence(1, 0, 0, "aaaaaaaa")
    for number in range(20):
        claim(core.log, job.id, fence, (Delta(text=f"{number} "),), at=core.clock, expires_at=EXPIRES_AT)


class TestViewing:
    @pytest.mark.parametrize(
        "job_id", ["job_" + "0" * 26, "job_", "", "../jobs", "JOB#1", "job_" + "u" * 26, "x" * 9000]
    )
    def test_an_unknown_job_is_not_found_with_any_form_of_id(self, job_id: str) -> None:
        with pytest.raises(NotFound):
            FakeCore().job_queries.view("ada", job_id)

    def test_another_owners_job_cannot_be_viewed_or_cancelled(self) -> None:
        core = FakeCore()
        job = core.new_job()
        for act in (core.job_queries.view, core.job_queries.owned, core.job_cancellation.cancel):
            with pytest.raises(Forbidden):
                act("bob", job.id)
        assert core.job(job.id).status is JobStatus.PENDING

    def test_an_expired_job_is_not_found(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.clock.advance(7199)
        assert core.job_queries.owned("ada", job.id) == job
        core.clock.advance(1)
        with pytest.raises(NotFound):
            core.job_queries.view("ada", job.id)

    def test_the_view_has_the_whole_text_of_a_compacted_log(self) -> None:
        core = FakeCore()
        job = core.new_job()
        append_numbers(core, job)
        compact(core.log, job.id, 0, expires_at=EXPIRES_AT)
        view = core.job_queries.view("ada", job.id)
        assert view.transcript.text == "".join(f"{number} " for number in range(20))
        assert (view.transcript.seq, view.result) == (20, None)

    @pytest.mark.parametrize("method", ["read", "snapshot"])
    def test_the_view_has_the_whole_text_of_a_log_that_is_compacted_during_the_read(
        self, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = core.new_job()
        append_numbers(core, job)
        original = getattr(core.log, method)

        def compacted_right_after(*args: Any, **given: Any) -> Any:
            found = original(*args, **given)
            monkeypatch.undo()
            compact(core.log, job.id, 0, expires_at=EXPIRES_AT)
            return found

        monkeypatch.setattr(core.log, method, compacted_right_after)
        text = core.job_queries.view("ada", job.id).transcript.text
        assert text == "".join(f"{number} " for number in range(20))

    def test_a_job_that_ends_between_the_two_reads_is_shown_as_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_job()
        original = core.log.read

        def cancelled_right_before(*args: Any, **given: Any) -> Any:
            monkeypatch.undo()
            core.job_cancellation.cancel("ada", job.id)
            return original(*args, **given)

        monkeypatch.setattr(core.log, "read", cancelled_right_before)
        view = core.job_queries.view("ada", job.id)
        assert view.transcript.ended is not None
        assert view.job.status is JobStatus.CANCELLED

    def test_a_completed_job_whose_log_has_no_end_yet_is_shown_as_far_as_its_last_event(self) -> None:
        core = FakeCore()
        job = core.new_job()
        claim(
            core.log, job.id, Fence(1, 0, 0, "aaaaaaaa"), (Progress(progress=95),), at=core.clock, expires_at=EXPIRES_AT
        )
        core.jobs.update(job.id, {"status": JobStatus.COMPLETED, "progress": 100.0}, when=JobGuard())
        view = core.job_queries.view("ada", job.id)
        assert view.job.status is JobStatus.COMPLETED
        assert (view.transcript.seq, view.transcript.progress, view.transcript.ended) == (1, 95, None)

    def test_only_a_completed_job_has_a_result_which_is_its_last_stages_output(self) -> None:
        core = FakeCore()
        job = core.new_job()
        outputs = {"draft": (1, {"lines": ["rough"]}), "polish": (2, {"lines": ["fine"]})}
        refs = {}
        for stage, (seq, output) in outputs.items():
            fence = str(Fence(1, seq, 0, "aaaaaaaa"))
            core.checkpoints.put(job, stage, fence, StageOutput(output=output, text=""))
            refs[stage] = CheckpointRef(seq=seq, fence=fence)
        live = core.jobs.update(job.id, {"checkpoints": refs}, when=JobGuard())
        assert core.job_queries.result(live) is None
        done = core.jobs.update(job.id, {"status": JobStatus.COMPLETED}, when=JobGuard())
        assert core.job_queries.result(done) == {"lines": ["fine"]}
        assert core.job_queries.view("ada", job.id).result == {"lines": ["fine"]}


class TestListing:
    def test_an_owners_jobs_are_listed_newest_first_in_pages(self) -> None:
        core = FakeCore()
        made = [core.new_job(job_id=new_job_id(number)).id for number in range(5)]
        core.new_job(job_id=new_job_id(9), owner="bob")
        first = core.job_queries.list_jobs("ada", where=ANY, limit=3, cursor=None)
        second = core.job_queries.list_jobs("ada", where=ANY, limit=3, cursor=first.cursor)
        assert [job.id for job in (*first.jobs, *second.jobs)] == made[::-1]
        assert second.cursor is None

    def test_a_job_in_progress_has_the_same_progress_in_the_list_as_by_itself(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.jobs.update(job.id, {"status": JobStatus.IN_PROGRESS}, when=JobGuard())
        events = (Delta(text="x"), Progress(progress=55.1))
        claim(core.log, job.id, Fence(1, 0, 0, "aaaaaaaa"), events, at=core.clock, expires_at=EXPIRES_AT)
        (listed,) = core.job_queries.list_jobs("ada", where=ANY, limit=3, cursor=None).jobs
        assert listed.progress == core.job_queries.view("ada", job.id).transcript.progress == 55.1

    def test_an_invalid_cursor_is_refused_with_its_field(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            FakeCore().job_queries.list_jobs("ada", where=ANY, limit=3, cursor="nonsense")
        assert [issue.field for issue in refusal.value.issues] == ["cursor"]
