"""What outlives jobs follows their moves: the job's write and its chronicle's are made together or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from shared.errors import StorageThrottled
from shared.jobs.job import Job
from shared.jobs.store import Alongside, AlongsideRefused, JobGuard, JobStore

PREPARED_AT_MOST = 5
"""How often a write is prepared anew because what it goes with has changed meanwhile."""


class Chronicle(Protocol):
    """Prepares what is to be written with a job. None: nothing of this job is kept."""

    def opening(self, job: Job) -> Alongside | None:
        """For a new job."""

    def moved(self, job: Job) -> Alongside | None:
        """For a job that ends or is resumed; `job` is as it will be then."""


def update_together(
    chronicle: Chronicle, jobs: JobStore, job: Job, changes: Mapping[str, Any], *, when: JobGuard
) -> Job:
    """`JobStore.update`, with what the chronicle has to say of it. Raises StaleWrite, StorageThrottled."""
    after = job.model_copy(update=dict(changes))
    for _ in range(PREPARED_AT_MOST):
        try:
            return jobs.update(job.id, changes, when=when, alongside=chronicle.moved(after))
        except AlongsideRefused:
            continue
    raise StorageThrottled("the job's run is being changed by others")
