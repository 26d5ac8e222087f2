"""The port to stored jobs: every move is one conditional write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.jobs.job import Job, JobStatus


@dataclass(frozen=True, slots=True)
class JobGuard:
    """What has to hold for a write to happen; an expired job holds nothing."""

    status_in: frozenset[JobStatus] | None = None
    generation: int | None = None
    fence_up_to: str | None = None
    fence_is: str | None = None
    updated_at: datetime | None = None

    def holds(self, job: Job) -> bool:
        return (
            (self.status_in is None or job.status in self.status_in)
            and (self.generation is None or job.generation == self.generation)
            and (self.fence_up_to is None or job.fence <= self.fence_up_to)
            and (self.fence_is is None or job.fence == self.fence_is)
            and (self.updated_at is None or job.updated_at == self.updated_at)
        )


class StaleWrite(Exception):
    """The guard did not hold; nothing was changed. `current` is the job as it is, None when there is none."""

    def __init__(self, current: Job | None) -> None:
        super().__init__(f"job is {current.status if current else 'gone'}")
        self.current = current


@dataclass(frozen=True, slots=True)
class PreparedWrites:
    """Writes to be made together with a job's, or not at all; what is in them is between the stores of one database."""

    writes: tuple[Any, ...]


class SideWriteConflict(Exception):
    """What was to be written alongside no longer fits; nothing was changed. It has to be prepared anew."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which of an owner's jobs to list; None does not filter."""

    pipeline: str | None = None
    status: JobStatus | None = None
    session_id: str | None = None
    run_id: str | None = None
    project_id: str | None = None

    def matches(self, job: Job) -> bool:
        return (
            (self.pipeline is None or job.pipeline == self.pipeline)
            and (self.status is None or job.status == self.status)
            and (self.session_id is None or job.links.session_id == self.session_id)
            and (self.run_id is None or job.links.run_id == self.run_id)
            and (self.project_id is None or job.links.project_id == self.project_id)
        )


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs, newest first; `cursor` is None on the last page."""

    jobs: Sequence[Job]
    cursor: str | None


class JobStore(Protocol):
    """Where jobs are kept. No method ever shows an expired job."""

    def put_new(self, job: Job, *, side_writes: PreparedWrites | None = None) -> None:
        """Store a job under a new id; raises ValueError when another job has it. Storing the same job twice is once.

        Raises SideWriteConflict when the id is free, but what goes with the job does not fit.
        """

    def get(self, job_id: str) -> Job | None: ...

    def update(
        self, job_id: str, changes: Mapping[str, Any], *, when: JobGuard, side_writes: PreparedWrites | None = None
    ) -> Job:
        """Set the named fields if the guard holds and answer the whole job; raise StaleWrite otherwise.

        Raises SideWriteConflict when the guard holds, but what goes with it does not fit.
        """

    def live(self) -> Iterable[Job]:
        """Every job that is pending or in progress, in any order; may lag behind the latest moves."""

    def list_owned(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Raises ValueError for a cursor this store did not issue."""
