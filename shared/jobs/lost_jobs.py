"""Fail lost jobs: live jobs that their execution can no longer end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.errors import ErrorCode
from shared.jobs.ending import JobEnder
from shared.jobs.executions import ExecutionState
from shared.jobs.job import Fault, Job, JobStatus, ids_of
from shared.jobs.store import JobStore, StaleWrite
from shared.observability import metering
from shared.observability.log import log
from shared.observability.metering import Meter
from shared.observability.metrics import metrics

EXECUTION_NAME = re.compile(r"(?P<job_id>job_[0-9a-z]+)(?:-(?P<generation>[1-9][0-9]*))?")
"""What `execution_name` returns: the job's id, and the generation if it is not the first."""


@dataclass(frozen=True, slots=True)
class LossReason:
    """Why a live job is lost; `message` is for its owner."""

    code: ErrorCode
    message: str


NOT_STARTED = LossReason(ErrorCode.EXECUTION_NOT_STARTED, "the job's execution was never started")
EXECUTION_ENDED = LossReason(ErrorCode.WORKER_LOST, "the job's execution ended before the job did")
NO_PROGRESS = LossReason(ErrorCode.NO_PROGRESS, "the job's execution runs, but has written nothing for too long")

LOSS_BY_STATE = {ExecutionState.UNKNOWN: NOT_STARTED, ExecutionState.ENDED: EXECUTION_ENDED}
"""Why a live job is lost, by the state of its execution. A running execution is no reason."""


class LostJobs:
    """Fail lost jobs. Safe at any time, also twice for one job at once."""

    def __init__(self, *, jobs: JobStore, ender: JobEnder) -> None:
        self._jobs = jobs
        self._ender = ender

    def execution_ended(self, name: str) -> str | None:
        """Fail the job whose execution of this name has ended, and return its id.

        Return None if there is nothing to do: the job has ended, runs in a later execution or has expired, or the name
        is none of a job's executions.
        """
        found = EXECUTION_NAME.fullmatch(name)
        job = self._jobs.get(found["job_id"]) if found else None
        if found is None or job is None or job.status.ended:
            return None
        if job.generation != int(found["generation"] or 1):
            return None
        if not self.fail(job, EXECUTION_ENDED):
            return None
        metrics.lost_job_ended()
        return job.id

    def fail(self, job: Job, reason: LossReason) -> bool:
        """Fail this generation of the job. Return False if it has ended or was resumed in the meantime."""
        failure = Fault(
            code=reason.code,
            message=reason.message,
            stage=job.stage,
            attempt=job.attempt,
            retryable=True,
            trace_id=job.trace_id,
        )
        meter = Meter(megabytes=metering.megabytes_of_function())
        try:
            with metering.metered(meter):
                self._ender.end(job, JobStatus.FAILED, details={"failure": failure}, part_killed=True)
        except StaleWrite:
            return False
        log.warning("stuck job ended", **ids_of(job), code=reason.code, stage=job.stage)
        return True
