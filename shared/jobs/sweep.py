"""The sweep: fail live jobs whose execution has ended or never started, so that no watcher waits forever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.clock import Clock
from shared.errors import ErrorCode
from shared.jobs.ending import JobEnder
from shared.jobs.executions import Executions, ExecutionState
from shared.jobs.job import Fault, Job, JobStatus, ids_of
from shared.jobs.store import JobStore, StaleWrite
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.schema import Schema

MIN_IDLE_SECONDS = 60
"""The sweep skips a job that has changed within this time, because the next transition may be about to follow."""


class SweepReport(Schema):
    """The result of one sweep: how many jobs it checked, and the ids of the jobs that it ended."""

    looked_at: int
    ended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reason:
    code: ErrorCode
    message: str


REASONS = {
    ExecutionState.UNKNOWN: _Reason(ErrorCode.EXECUTION_NOT_STARTED, "the job's execution was never started"),
    ExecutionState.ENDED: _Reason(ErrorCode.WORKER_LOST, "the job's execution ended before the job did"),
}
"""Why a live job is stuck, by the state of its execution. A running execution is no reason."""


class StuckJobSweep:
    """End stuck jobs: live jobs whose execution has ended or never started. Running executions have time limits."""

    def __init__(self, *, jobs: JobStore, executions: Executions, ender: JobEnder, clock: Clock) -> None:
        self._jobs = jobs
        self._executions = executions
        self._ender = ender
        self._clock = clock

    def run(self) -> SweepReport:
        """Check every live job that has not changed for a minute. Safe at any time, also for two sweeps at once.

        If a job cannot be ended, check the others first and then raise its error.
        """
        now = self._clock()
        idle_since = now - timedelta(seconds=MIN_IDLE_SECONDS)
        looked_at, ended, oldest_pending = 0, [], 0.0
        failure: Exception | None = None
        for job in self._jobs.live():
            if job.status is JobStatus.PENDING:
                # Not since its creation: a resumed job was created long before it became pending again.
                oldest_pending = max(oldest_pending, (now - job.updated_at).total_seconds())
            if job.updated_at > idle_since:
                continue
            looked_at += 1
            reason = REASONS.get(self._executions.state_of(job))
            try:
                if reason is not None and self._fail(job, reason):
                    ended.append(job.id)
            except Exception as error:  # noqa: BLE001 - raised below
                # One job that cannot be ended must not stop the sweep of the others.
                log.defect("stuck job not ended", error, **ids_of(job))
                failure = error
        log.info("swept", looked_at=looked_at, ended=len(ended))
        metrics.swept(ended=len(ended), oldest_pending=oldest_pending)
        if failure is not None:
            raise failure
        return SweepReport(looked_at=looked_at, ended=tuple(ended))

    def _fail(self, job: Job, reason: _Reason) -> bool:
        failure = Fault(
            code=reason.code,
            message=reason.message,
            stage=job.stage,
            attempt=job.attempt,
            retryable=True,
            trace_id=job.trace_id,
        )
        try:
            self._ender.end(job, JobStatus.FAILED, details={"failure": failure})
        except StaleWrite:
            return False  # the job ended or was resumed in the meantime
        log.warning("stuck job ended", **ids_of(job), code=reason.code, stage=job.stage)
        return True
