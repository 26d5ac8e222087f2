"""Write a job's transition and its run's record in one DynamoDB transaction: both succeed or both fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from shared.errors import StorageThrottled
from shared.jobs.job import Job
from shared.jobs.store import JobGuard, JobStore, PreparedWrites, SideWriteConflict, StaleWrite

MAX_ATTEMPTS = 5
"""Maximum attempts when the job or its run changes between reading it and committing the transaction."""


class SideWrites(Protocol):
    """Prepare the side writes of a job's transitions. None means that there is nothing to write."""

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the side writes of a new job."""

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare the side writes of an end or a resumption. `job` is the job after the transition.

        For a job that has already ended, prepare the side writes that are still missing.
        """


def update_together(
    side_writes: SideWrites, jobs: JobStore, job: Job, changes: Mapping[str, Any], *, when: JobGuard
) -> Job:
    """Update the job together with its side writes, and return the updated job.

    `job` is the job as the caller has read it. The side writes depend on all of its fields. So if another process
    changes the job or the run first and the guard still holds, prepare them again, at most MAX_ATTEMPTS times.

    Raises:
        StaleWrite: the guard does not hold.
        StorageThrottled: the job or its run has changed before every attempt.
    """
    for _ in range(MAX_ATTEMPTS):
        if not when.holds(job):
            raise StaleWrite(job)
        prepared = side_writes.on_transition(job.model_copy(update=dict(changes)))
        if prepared is None:
            return jobs.update(job.id, changes, when=when)
        try:
            return jobs.update(job.id, changes, when=replace(when, updated_at=job.updated_at), side_writes=prepared)
        except SideWriteConflict:
            continue
        except StaleWrite as stale:
            if stale.current is None:
                raise
            job = stale.current
    raise StorageThrottled("other requests are changing the job and its run; try again")
