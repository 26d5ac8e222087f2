"""Cancel a job."""

from __future__ import annotations

import pytest

from shared.errors import (
    Conflict,
    NotFound,
)
from shared.jobs.costs import usage_with_price
from shared.jobs.job import Job, JobStatus
from shared.log.claim import claim
from shared.log.events import Cancelled, Delta
from shared.log.fence import Fence
from shared.log.usage import TokenUsage
from tests.fakes.clock import EXPIRES_AT
from tests.fakes.core import FakeCore


class TestCancellation:
    def test_cancelling_a_live_job_ends_its_log_and_stops_its_execution(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS, stage="draft")
        cancelled = core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id) == cancelled
        assert (cancelled.status, cancelled.ended_at) == (JobStatus.CANCELLED, core.clock())
        assert cancelled.expires_at == int(core.clock().timestamp()) + 3600
        assert core.events(job) == [Cancelled(stage="draft", usage=usage_with_price(TokenUsage(), None))]
        assert core.executions.stopped == [job.id]

    def test_cancelling_again_changes_nothing(self) -> None:
        core = FakeCore()
        job = core.new_job()
        first = core.job_cancellation.cancel("ada", job.id)
        core.clock.advance(10)
        assert core.job_cancellation.cancel("ada", job.id) == first
        assert core.events(job) == [Cancelled(usage=usage_with_price(TokenUsage(), None))]

    @pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED])
    def test_a_completed_or_failed_job_cannot_be_cancelled(self, status: JobStatus) -> None:
        core = FakeCore()
        job = core.new_job(status=status)
        with pytest.raises(Conflict, match=status):
            core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id) == job

    def test_a_cancelled_job_expires_after_its_pipelines_retention(self) -> None:
        core = FakeCore()
        job = core.new_job(pipeline="brief")
        assert core.job_cancellation.cancel("ada", job.id).expires_at == int(core.clock().timestamp()) + 7

    def test_a_job_that_expires_during_its_cancellation_is_not_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_job()
        get = core.jobs.get

        def expire_after(job_id: str, *, consistent: bool) -> Job | None:
            found = get(job_id, consistent=consistent)
            core.clock.advance(7200)
            return found

        monkeypatch.setattr(core.jobs, "get", expire_after)
        with pytest.raises(NotFound):
            core.job_cancellation.cancel("ada", job.id)

    def test_cancelling_adds_no_event_to_a_job_that_is_resumed_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_job()
        tail = core.log.tail

        def resumed_before(job_id: str) -> object:
            monkeypatch.setattr(core.log, "tail", tail)
            claim(
                core.log,
                job_id,
                Fence(2, 0, 0, "aaaaaaaa"),
                (Delta(text="again"),),
                at=core.clock,
                expires_at=EXPIRES_AT,
            )
            return tail(job_id)

        monkeypatch.setattr(core.log, "tail", resumed_before)
        core.job_cancellation.cancel("ada", job.id)
        assert core.events(job) == [Delta(text="again")]
