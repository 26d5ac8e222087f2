"""Write a job's transition and what belongs with it, such as its run, in one DynamoDB transaction: both or neither."""

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
    """Prepare the writes that go into a job's own transaction. None means: there is nothing to write."""

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the writes that go with a new job."""

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare the writes that go with a job's end or resumption; `job` is the job after it.

        For a job that has already ended, return the writes that are still missing.
        """


def update_together(
    side_writes: SideWrites, jobs: JobStore, job: Job, changes: Mapping[str, Any], *, when: JobGuard
) -> Job:
    """Update the job with `JobStore.update`, together with its side writes, and return the new job.

    `job` is the caller's copy. The side writes depend on the whole job, so this function prepares them again if the
    job has changed in the meantime and the guard still holds.

    Raises:
        StaleWrite: the guard does not hold.
        StorageThrottled: the job or its run changed on every attempt.
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
    raise StorageThrottled("the job and its run are being changed by others")
