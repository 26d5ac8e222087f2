"""The sweep: jobs whose execution is gone are ended with a reason, instead of being watched for ever."""

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
"""A job that moved within this time is left alone: whoever moved it may be about to move it again."""


class SweepReport(Schema):
    """What one sweep found: live jobs looked at, and the ids of those it ended."""

    looked_at: int
    ended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    code: ErrorCode
    message: str


REASONS = {
    ExecutionState.UNKNOWN: _Verdict(ErrorCode.EXECUTION_NOT_STARTED, "the job was stored, but never started"),
    ExecutionState.ENDED: _Verdict(ErrorCode.WORKER_LOST, "the job's execution ended without ending the job"),
}


class StuckJobSweep:
    """Ends live jobs nobody works on any more. A running execution is left to its own time limits."""

    def __init__(self, *, jobs: JobStore, executions: Executions, ender: JobEnder, clock: Clock) -> None:
        self._jobs = jobs
        self._executions = executions
        self._ender = ender
        self._clock = clock

    def run(self) -> SweepReport:
        """Look at every live job that has not moved for a minute. Safe to run at any time, and twice at once."""
        now = self._clock()
        settled = now - timedelta(seconds=MIN_IDLE_SECONDS)
        looked_at, ended, oldest_pending = 0, [], 0.0
        broken: Exception | None = None
        for job in self._jobs.live():
            if job.status is JobStatus.PENDING:
                # Since it became pending: a resumed job was made long before.
                oldest_pending = max(oldest_pending, (now - job.updated_at).total_seconds())
            if job.updated_at > settled:
                continue
            looked_at += 1
            reason = REASONS.get(self._executions.state_of(job))
            try:
                if reason is not None and self._fail(job, reason):
                    ended.append(job.id)
            except Exception as error:  # noqa: BLE001 - raised below
                # One job that cannot be ended must not keep the others.
                log.defect("stuck job not ended", error, **ids_of(job))
                broken = error
        log.info("swept", looked_at=looked_at, ended=len(ended))
        metrics.swept(ended=len(ended), oldest_pending=oldest_pending)
        if broken is not None:
            raise broken
        return SweepReport(looked_at=looked_at, ended=tuple(ended))

    def _fail(self, job: Job, reason: _Verdict) -> bool:
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
            return False  # it ended, or was resumed, while we looked
        log.warning("stuck job ended", **ids_of(job), code=reason.code, stage=job.stage)
        return True
