"""The sweep and the events of ended executions, which end lost jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.errors import ErrorCode, StorageThrottled, StorageUnavailable
from shared.jobs.executions import ExecutionState
from shared.jobs.ids import new_job_id
from shared.jobs.job import Job, JobStatus
from shared.jobs.pipeline import STAGE_SECONDS
from shared.jobs.sweep import START_SECONDS, SWEEP_SECONDS, StuckJobSweep, SweepReport
from shared.log.claim import claim
from shared.log.events import Delta, Failed
from shared.log.fence import Fence
from shared.observability.metrics import metrics
from tests.fakes.clock import EXPIRES_AT, NOON, SettableClock
from tests.fakes.core import FakeCore, ScriptedStage, a_job, a_request, says


def sweep_of(core: FakeCore, sleep: Callable[[float], None] | None = None) -> StuckJobSweep:
    return StuckJobSweep(
        jobs=core.jobs,
        executions=core.executions,
        event_log=core.log,
        lost_jobs=core.lost_jobs,
        records=core.records,
        pipelines=core.pipelines,
        clock=core.clock,
        sleep=sleep or core.clock.advance,
    )


def sweep(core: FakeCore) -> SweepReport:
    return sweep_of(core).run()


def a_running_job(core: FakeCore, state: ExecutionState = ExecutionState.RUNNING) -> Job:
    """Return a job whose first stage has begun to write, now."""
    job = core.new_job(
        job_id=new_job_id(int(core.clock().timestamp() * 1000)),
        status=JobStatus.IN_PROGRESS,
        stage="draft",
        updated_at=core.clock(),
        expires_at=int(core.clock().timestamp()) + 86_400,
    )
    claim(core.log, job.id, Fence(1, 0, 0, "aaaaaaaa"), (Delta(text="x"),), at=core.clock, expires_at=EXPIRES_AT)
    core.executions.states[job.id] = state
    return job


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
    core.clock.advance(START_SECONDS + 1)
    assert sweep(core).ended == (job.id,)
    failed = core.job(job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.failure is not None
    assert failed.failure.code is code
    (event,) = core.events(job)
    assert isinstance(event, Failed)
    assert sweep(core).looked_at == 0


def test_the_sweep_does_not_end_a_pending_job_with_a_running_execution() -> None:
    core = FakeCore()
    core.job_creation.create("ada", a_request())
    core.clock.advance(START_SECONDS + 1)
    report = sweep(core)
    assert (report.checked, report.ended) == (1, ())


def test_a_job_is_checked_only_when_its_stages_time_limit_has_passed() -> None:
    core = FakeCore()
    job = a_running_job(core, ExecutionState.ENDED)
    core.clock.advance(STAGE_SECONDS)
    assert sweep(core) == SweepReport(looked_at=1, checked=0, ended=(), finished=True)
    core.clock.advance(1)
    assert sweep(core) == SweepReport(looked_at=1, checked=1, ended=(job.id,), finished=True)


def test_a_running_execution_whose_log_does_not_grow_for_two_time_limits_is_ended() -> None:
    core = FakeCore()
    job = a_running_job(core)
    core.clock.advance(200)
    claim(core.log, job.id, Fence(1, 0, 0, "aaaaaaaa"), (Delta(text="y"),), at=core.clock, expires_at=EXPIRES_AT)
    core.clock.advance(2 * STAGE_SECONDS)
    assert sweep(core).ended == ()
    core.clock.advance(1)
    assert sweep(core).ended == (job.id,)
    failure = core.job(job.id).failure
    assert failure is not None
    assert failure.code is ErrorCode.NO_PROGRESS
    assert core.executions.stopped == [job.id]


def test_one_execution_that_cannot_be_asked_about_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    core = FakeCore()
    jobs = []
    for _ in range(3):
        jobs.append(a_running_job(core, ExecutionState.ENDED))
        core.clock.advance(1)
    core.clock.advance(STAGE_SECONDS)
    state_of = core.executions.state_of

    def refused(job: Job) -> ExecutionState:
        if job.id == jobs[0].id:
            raise StorageUnavailable("no answer")
        return state_of(job)

    monkeypatch.setattr(core.executions, "state_of", refused)
    with pytest.raises(StorageUnavailable):
        sweep(core)
    assert [core.job(job.id).status.ended for job in jobs] == [False, True, True]


class Quota:
    """DescribeExecution's quota in a new account: 300 calls at once, refilled by 15 a second; each takes 20 ms."""

    def __init__(self, core: FakeCore) -> None:
        self._clock: SettableClock = core.clock
        self._state_of = core.executions.state_of
        self._left = 300.0
        self._at = core.clock()
        self.refused = 0

    def state_of(self, job: Job) -> ExecutionState:
        self._clock.advance(0.02)
        now = self._clock()
        self._left = min(300.0, self._left + 15 * (now - self._at).total_seconds())
        self._at = now
        if self._left < 1:
            self.refused += 1
            raise StorageThrottled("Rate exceeded")
        self._left -= 1
        return self._state_of(job)


def test_a_sweep_of_5000_live_jobs_ends_the_stuck_ones_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    core = FakeCore()
    stuck = set()
    for number in range(5000):
        # Every hundredth execution has ended although its job lives; the others have begun a stage a moment ago.
        moved = NOON - timedelta(seconds=STAGE_SECONDS + 1) if number % 100 == 0 else NOON
        job = a_job(job_id=f"job_a{number:026d}", status=JobStatus.IN_PROGRESS, stage="draft", updated_at=moved)
        core.jobs.put_new(job)
        core.executions.states[job.id] = ExecutionState.ENDED if number % 100 == 0 else ExecutionState.RUNNING
        if number % 100 == 0:
            stuck.add(job.id)
    quota = Quota(core)
    monkeypatch.setattr(core.executions, "state_of", quota.state_of)

    report = sweep(core)

    assert set(report.ended) == stuck
    assert (report.looked_at, report.checked, report.finished, quota.refused) == (5000, 50, True, 0)
    assert (core.clock() - NOON).total_seconds() < SWEEP_SECONDS


def test_sweeps_continue_where_the_one_before_stopped_if_step_functions_throttles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = FakeCore()
    for number in range(1200):
        moved = NOON - timedelta(seconds=STAGE_SECONDS + 1)
        job = a_job(
            job_id=f"job_a{number:026d}",
            status=JobStatus.IN_PROGRESS,
            stage="draft",
            updated_at=moved,
            expires_at=int(NOON.timestamp()) + 86_400,
        )
        core.jobs.put_new(job)
        core.executions.states[job.id] = ExecutionState.ENDED
    monkeypatch.setattr(core.executions, "state_of", Quota(core).state_of)
    reports: list[SweepReport] = []

    while not reports or not reports[-1].finished:
        began = core.clock()
        reports.append(sweep(core))
        assert (core.clock() - began).total_seconds() <= SWEEP_SECONDS
        core.clock.advance(300 - SWEEP_SECONDS)

    assert len(reports) == 2
    assert len(reports[0].ended) > 800
    assert core.jobs.live(cursor=None, limit=1).jobs == []


def test_a_running_job_does_not_keep_the_next_sweep_from_the_jobs_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    core = FakeCore()
    for _ in range(3):
        a_running_job(core)
        core.clock.advance(1)
    core.clock.advance(STAGE_SECONDS)

    def slow(job: Job) -> ExecutionState:
        core.clock.advance(SWEEP_SECONDS)
        asked.append(job.id)
        return ExecutionState.RUNNING

    asked: list[str] = []
    monkeypatch.setattr(core.executions, "state_of", slow)
    assert [sweep(core).finished for _ in range(3)] == [False, False, False]
    assert len(set(asked)) == 3


def test_a_job_that_ends_during_the_sweep_keeps_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    core.clock.advance(START_SECONDS + 1)

    def cancelled_meanwhile(_job: object) -> ExecutionState:
        core.job_cancellation.cancel("ada", job.id)
        return ExecutionState.ENDED

    monkeypatch.setattr(core.executions, "state_of", cancelled_meanwhile)
    assert sweep(core).ended == ()
    assert core.job(job.id).status is JobStatus.CANCELLED


def test_the_sweep_measures_the_age_of_the_oldest_pending_job(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[float] = []
    monkeypatch.setattr(metrics, "swept", lambda *, ended, oldest_pending: measured.append(oldest_pending))
    core = FakeCore()
    sweep(core)
    oldest = core.job_creation.create("ada", a_request())
    core.clock.advance(30)
    core.job_creation.create("ada", a_request("seas"))
    core.clock.advance(10)
    sweep(core)
    core.run(ScriptedStage("draft", says("x")), oldest)
    sweep(core)

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
    sweep(core)

    assert measured == [20]


# ---- events of ended executions --------------------------------------------------------------------------------------


def test_the_end_of_an_execution_fails_its_live_job_at_once() -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    assert core.lost_jobs.execution_ended(job.id) == job.id
    failure = core.job(job.id).failure
    assert failure is not None
    assert failure.code is ErrorCode.WORKER_LOST


def test_the_end_of_an_earlier_execution_does_not_fail_a_resumed_job() -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    core.job_cancellation.cancel("ada", job.id)
    core.job_resumption.resume("ada", job.id)
    assert core.lost_jobs.execution_ended(job.id) is None
    assert not core.job(job.id).status.ended
    assert core.lost_jobs.execution_ended(f"{job.id}-2") == job.id


@pytest.mark.parametrize("name", ["", "by-hand", "job_", "job_01jd8x2v5n7k3q9w4t6y8z0abc", "job_x-0"])
def test_the_end_of_another_execution_does_nothing(name: str) -> None:
    assert FakeCore().lost_jobs.execution_ended(name) is None


def test_the_end_of_an_execution_does_not_change_a_job_that_has_ended() -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    core.record_failure(job)
    assert core.lost_jobs.execution_ended(job.id) is None
    failure = core.job(job.id).failure
    assert failure is not None
    assert failure.code is ErrorCode.MODEL_UNAVAILABLE
