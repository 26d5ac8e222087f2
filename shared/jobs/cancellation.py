"""Cancelling jobs, and letting them go with what they were part of."""

from __future__ import annotations

import contextlib

from shared.clock import Clock
from shared.errors import Conflict, NotFound
from shared.jobs.ending import JobEnder
from shared.jobs.executions import Executions
from shared.jobs.job import Job, JobStatus
from shared.jobs.queries import owned_job, unknown_job
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.observability.log import log


class JobCancellation:
    """Ends jobs because their owner says so. Every method takes the owner who asks, and touches nobody else's job."""

    def __init__(self, *, jobs: JobStore, executions: Executions, ender: JobEnder, clock: Clock) -> None:
        self._jobs = jobs
        self._executions = executions
        self._ender = ender
        self._clock = clock

    def cancel(self, owner: str, job_id: str) -> Job:
        """End the job where it stands; a cancelled one stays as it is. Raises NotFound, Forbidden, Conflict."""
        job = owned_job(self._jobs, owner, job_id)
        try:
            # The log learns of it before the execution does: that is what stops a stage in the middle of a model call.
            cancelled = self._ender.end(job, JobStatus.CANCELLED)
        except StaleWrite as stale:
            if stale.current is None:
                raise unknown_job(job_id) from stale
            raise Conflict(f"the job is {stale.current.status}; only a live job can be cancelled") from stale
        self._executions.stop(cancelled)
        log.info("job cancelled", job_id=job_id)
        return cancelled

    def cancel_and_hide(self, owner: str, job_id: str) -> None:
        """End the job if it is live, and show it to nobody any more; nothing happens where there is none."""
        try:
            self.cancel(owner, job_id)
        except NotFound:
            return
        except Conflict:
            pass  # it has ended by itself
        with contextlib.suppress(StaleWrite):
            gone = {"expires_at": int(self._clock().timestamp()), "updated_at": self._clock()}
            self._jobs.update(job_id, gone, when=JobGuard())
