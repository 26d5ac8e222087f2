"""The sweep, which ends jobs whose execution has ended or never started."""

from __future__ import annotations

import pytest

from shared.errors import ErrorCode
from shared.jobs.executions import ExecutionState
from shared.jobs.job import JobStatus
from shared.jobs.sweep import MIN_IDLE_SECONDS
from shared.log.events import Failed
from shared.observability.metrics import metrics
from tests.fakes.core import FakeCore, ScriptedStage, a_request, says


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ExecutionState.UNKNOWN, ErrorCode.EXECUTION_NOT_STARTED),
        (ExecutionState.ENDED, ErrorCode.WORKER_LOST),
    ],
)
def test_the_sweep_fails_a_job_without_a_running_execution_with_the_reason(
    state: ExecutionState, code: ErrorCode
) -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    core.executions.states[job.id] = state
    core.clock.advance(MIN_IDLE_SECONDS + 1)
    assert core.job_sweep.run().ended == (job.id,)
    failed = core.job(job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.failure is not None
    assert failed.failure.code is code
    (event,) = core.events(job)
    assert isinstance(event, Failed)
    assert core.job_sweep.run().looked_at == 0


def test_the_sweep_does_not_end_a_job_with_a_running_execution() -> None:
    core = FakeCore()
    core.job_creation.create("ada", a_request())
    core.clock.advance(MIN_IDLE_SECONDS + 1)
    report = core.job_sweep.run()
    assert (report.looked_at, report.ended) == (1, ())


def test_the_sweep_skips_a_job_that_changed_a_moment_ago() -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    core.executions.states[job.id] = ExecutionState.ENDED
    core.clock.advance(MIN_IDLE_SECONDS + 1)
    core.run(ScriptedStage("draft", says("x")), job)
    assert core.job_sweep.run().looked_at == 0


def test_a_job_that_ends_during_the_sweep_keeps_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    core.clock.advance(MIN_IDLE_SECONDS + 1)

    def cancelled_meanwhile(_job: object) -> ExecutionState:
        core.job_cancellation.cancel("ada", job.id)
        return ExecutionState.ENDED

    monkeypatch.setattr(core.executions, "state_of", cancelled_meanwhile)
    assert core.job_sweep.run().ended == ()
    assert core.job(job.id).status is JobStatus.CANCELLED


def test_the_sweep_measures_the_age_of_the_oldest_pending_job(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []
    monkeypatch.setattr(metrics, "swept", lambda *, ended, oldest_pending: measured.append(oldest_pending))
    core = FakeCore()
    core.job_sweep.run()
    oldest = core.job_creation.create("ada", a_request())
    core.clock.advance(30)
    core.job_creation.create("ada", a_request("seas"))
    core.clock.advance(10)
    core.job_sweep.run()
    core.run(ScriptedStage("draft", says("x")), oldest)
    core.job_sweep.run()

    assert measured == [0, 40, 10]


def test_the_waiting_time_of_a_resumed_job_begins_at_its_resumption(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    core.job_cancellation.cancel("ada", job.id)
    core.clock.advance(600)
    core.job_resumption.resume("ada", job.id)
    core.clock.advance(20)
    monkeypatch.setattr(metrics, "swept", lambda *, ended, oldest_pending: measured.append(oldest_pending))
    core.job_sweep.run()

    assert measured == [20]
