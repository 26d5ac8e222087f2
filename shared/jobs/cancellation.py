"""Cancel jobs: one, those of a linked entity, and those of a deleted run, which are also hidden."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from shared.clock import Clock
from shared.errors import Conflict, NotFound
from shared.jobs.ending import JobEnder
from shared.jobs.executions import Executions
from shared.jobs.job import Job, JobStatus, LinkKind
from shared.jobs.queries import every_job, owned_job, unknown_job
from shared.jobs.store import JobFilter, JobGuard, JobStore, StaleWrite
from shared.observability.log import log


class JobCancellation:
    """Cancel jobs at their owner's request. `owner` is the authenticated user, who can cancel only their own jobs."""

    def __init__(self, *, jobs: JobStore, executions: Executions, ender: JobEnder, clock: Clock) -> None:
        self._jobs = jobs
        self._executions = executions
        self._ender = ender
        self._clock = clock

    def cancel(self, owner: str, job_id: str) -> Job:
        """Cancel a live job and return it. Return an already cancelled job unchanged.

        Raises:
            NotFound: the job does not exist or has expired.
            Forbidden: the job has another owner.
            Conflict: the job has completed or failed.
        """
        job = owned_job(self._jobs, owner, job_id)
        try:
            # End the log before the execution: only the log stops a stage in the middle of a model call.
            cancelled = self._ender.end(job, JobStatus.CANCELLED)
        except StaleWrite as stale:
            if stale.current is None:
                raise unknown_job(job_id) from stale
            raise Conflict(
                f"the job is {stale.current.status}; only a pending or in_progress job can be cancelled"
            ) from stale
        self._executions.stop(cancelled)
        log.info("job cancelled", job_id=job_id)
        return cancelled

    def cancel_linked(self, owner: str, kind: LinkKind, entity_id: str) -> Sequence[Job]:
        """Cancel the owner's live jobs that are linked to this entity, and return them. It can be repeated.

        If the entity takes no more jobs, none is missed: a job is stored together with its place in this list, and the
        list is strongly consistent. So first close the session, then call this.
        """
        cancelled = []
        for job in every_job(self._jobs, owner, JobFilter.of_link(kind, entity_id)):
            if not job.status.ended:
                with contextlib.suppress(Conflict, NotFound):  # it has ended or expired in the meantime
                    cancelled.append(self.cancel(owner, job.id))
        return cancelled

    def cancel_and_hide(self, owner: str, job_id: str) -> None:
        """Cancel the job if it is live, and let it expire now. Do nothing if it does not exist.

        Raises Forbidden if the job has another owner.
        """
        try:
            self.cancel(owner, job_id)
        except NotFound:
            return
        except Conflict:
            pass  # it has already ended
        with contextlib.suppress(StaleWrite):
            changes = {"expires_at": int(self._clock().timestamp()), "updated_at": self._clock()}
            self._jobs.update(job_id, changes, when=JobGuard())
