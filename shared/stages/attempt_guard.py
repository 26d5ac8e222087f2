"""Tell whether an attempt may still write: to its job, and to other stores."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import AttemptStopped, AttemptSuperseded, JobEnded
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobGuard, JobStore, PreparedWrites
from shared.log.fence import Fence


def guard_of(fence: Fence) -> JobGuard:
    """Return the guard that holds while the attempt, or each attempt that shares the fence, may write."""
    return JobGuard(status_in=frozenset({JobStatus.IN_PROGRESS}), fence_is=str(fence))


def stopped(current: Job | None) -> AttemptStopped:
    """Return why an attempt may no longer write, from the job as it is now."""
    if current is None or current.status.ended:
        return JobEnded("the job has ended")
    return AttemptSuperseded("a newer attempt has claimed the job")


def raise_if_job_stopped(jobs: JobStore, job_id: str, fence: Fence) -> None:
    """Raise AttemptStopped if the stored job no longer belongs to the fence."""
    job = jobs.get(job_id)
    if job is None or not guard_of(fence).holds(job):
        raise stopped(job)


@dataclass(frozen=True, slots=True)
class AttemptGuard:
    """Bind what an attempt writes to other stores to its right to write to its job.

    An attempt that Step Functions has given up may still run. It can change nothing that its successor has read, if
    each of its writes has this guard's condition.
    """

    jobs: JobStore
    job_id: str
    fence: Fence

    def condition(self) -> PreparedWrites:
        """Return a condition for a store's transaction: the job runs, and no newer attempt has begun."""
        return self.jobs.prepare_check(self.job_id, when=guard_of(self.fence))

    def check(self) -> None:
        """Raise AttemptStopped if the condition does not hold now."""
        raise_if_job_stopped(self.jobs, self.job_id, self.fence)
