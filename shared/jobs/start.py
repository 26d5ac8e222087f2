"""Starting a stored job's execution; a job that cannot be started is failed and says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.errors import ErrorCode, MillraceError
from shared.jobs.ending import JobEnder, Retention
from shared.jobs.executions import ExecutionNotStarted, Executions
from shared.jobs.job import Fault, Job, JobStatus, ids_of
from shared.jobs.pipeline import Pipeline
from shared.jobs.store import StaleWrite
from shared.observability.log import log


class NotStarted(MillraceError):
    """The job was stored, but its execution could not be started: it is marked failed."""

    code = ErrorCode.EXECUTION_NOT_STARTED
    retryable = True

    def __init__(self, job: Job) -> None:
        super().__init__("the job could not be started and is marked failed; send the request again")
        self.job = job


class JobStarter:
    """Starts executions of pending jobs."""

    def __init__(
        self,
        *,
        executions: Executions,
        ender: JobEnder,
        retention: Retention,
    ) -> None:
        self._executions = executions
        self._ender = ender
        self._retention = retention

    def expiry_of_live(self, pipeline: Pipeline, now: datetime) -> int:
        """When a job that starts now is gone, in Unix seconds, should nobody ever end it."""
        longest = pipeline.run_seconds + self._retention.of(pipeline, JobStatus.FAILED)
        return int((now + timedelta(seconds=longest)).timestamp())

    def start(self, job: Job) -> Job:
        """Start the execution of the job's generation; starting twice starts once. Raises NotStarted."""
        try:
            self._executions.start(job)
        except ExecutionNotStarted as refusal:
            log.error("execution not started", **ids_of(job), reason=str(refusal))
            return self._unstarted(job, refusal)
        return job

    def _unstarted(self, job: Job, refusal: ExecutionNotStarted) -> Job:
        """Raises NotStarted unless the job has moved on: it was started after all, and only the answer was lost."""
        try:
            failed = self._fail(job)
        except StaleWrite as stale:
            if stale.current is not None:
                return stale.current
            failed = job
        raise NotStarted(failed) from refusal

    def _fail(self, job: Job) -> Job:
        failure = Fault(
            code=ErrorCode.EXECUTION_NOT_STARTED,
            message="the job's execution could not be started",
            retryable=True,
            trace_id=job.trace_id,
        )
        pending = frozenset({JobStatus.PENDING})
        return self._ender.end(job, JobStatus.FAILED, status_in=pending, details={"failure": failure})
