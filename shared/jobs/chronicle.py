"""What outlives jobs follows their moves: the job's write and its chronicle's are made together or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from shared.errors import StorageThrottled
from shared.jobs.job import Job
from shared.jobs.store import Alongside, AlongsideRefused, JobGuard, JobStore, StaleWrite

PREPARED_AT_MOST = 5
"""How often a write is prepared anew because what it goes with has changed meanwhile."""


class Chronicle(Protocol):
    """Prepares what is to be written with a job. None: there is nothing to be written."""

    def opening(self, job: Job) -> Alongside | None:
        """For a new job."""

    def moved(self, job: Job) -> Alongside | None:
        """For a job that ends or is resumed; `job` is as it will be then. Asked again: what is still missing."""


def update_together(
    chronicle: Chronicle, jobs: JobStore, job: Job, changes: Mapping[str, Any], *, when: JobGuard
) -> Job:
    """`JobStore.update`, with what the chronicle has to say of it. Raises StaleWrite, StorageThrottled.

    `job` is as the caller knows it. What goes with the write is made of the whole of it, so it is prepared anew when
    the job turns out to have moved since, though the guard still holds.
    """
    for _ in range(PREPARED_AT_MOST):
        if not when.holds(job):
            raise StaleWrite(job)
        alongside = chronicle.moved(job.model_copy(update=dict(changes)))
        if alongside is None:
            return jobs.update(job.id, changes, when=when)
        try:
            return jobs.update(job.id, changes, when=replace(when, updated_at=job.updated_at), alongside=alongside)
        except AlongsideRefused:
            continue
        except StaleWrite as stale:
            if stale.current is None:
                raise
            job = stale.current
    raise StorageThrottled("the job and its run are being changed by others")
