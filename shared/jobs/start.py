"""Start a stored job's execution, or fail the job if it cannot be started."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.errors import ErrorCode
from shared.jobs.ending import JobEnder, Retention
from shared.jobs.executions import ExecutionNotStarted, Executions, NotStarted
from shared.jobs.job import Fault, Job, JobStatus, ids_of
from shared.jobs.pipeline import LONGEST_INVOCATION_SECONDS, LONGEST_SECONDS, Pipeline
from shared.jobs.store import StaleWrite
from shared.observability.log import log


class JobStarter:
    """Start the executions of pending jobs."""

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
        """Return when a job that starts at `now` expires if it never ends, in Unix seconds.

        Nothing of the job is stored for longer (`shared/storage/expiry.py`), and its end lets it expire no later. So
        there is time for the longest run, for an end that comes late, and for what an ended job is kept.
        """
        kept = max(self._retention.of(pipeline, status) for status in JobStatus if status.ended)
        longest = pipeline.run_seconds + LONGEST_INVOCATION_SECONDS + kept
        return int((now + timedelta(seconds=min(longest, 2 * LONGEST_SECONDS))).timestamp())

    def start(self, job: Job) -> Job:
        """Start the execution of the job's generation, unless it was started before, and return the job.

        Raises NotStarted if the execution could not be started; the job is then stored as failed.
        """
        try:
            self._executions.start(job)
        except ExecutionNotStarted as error:
            log.error("execution not started", **ids_of(job), reason=str(error))
            return self._fail_unless_started(job, error)
        return job

    def _fail_unless_started(self, job: Job, error: ExecutionNotStarted) -> Job:
        """Fail the job and raise NotStarted. If the job is no longer pending, only the response was lost: return it."""
        try:
            failed = self._fail(job)
        except StaleWrite as stale:
            if stale.current is not None:
                return stale.current
            failed = job
        raise NotStarted(failed) from error

    def _fail(self, job: Job) -> Job:
        failure = Fault(
            code=ErrorCode.EXECUTION_NOT_STARTED,
            message="the job's execution could not be started",
            retryable=True,
            trace_id=job.trace_id,
        )
        pending = frozenset({JobStatus.PENDING})
        return self._ender.end(job, JobStatus.FAILED, status_in=pending, details={"failure": failure})
