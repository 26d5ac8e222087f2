"""The port to stored jobs: each transition is one conditional write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.jobs.job import Job, JobLinks, JobStatus, LinkKind
from shared.jobs.titles import found_by


@dataclass(frozen=True, slots=True)
class JobGuard:
    """The conditions of a write; None sets no condition. No guard holds for an expired job.

    `fence_up_to` is the highest fence that the job may have, `fence_is` the one that it must have.
    """

    status_in: frozenset[JobStatus] | None = None
    generation: int | None = None
    fence_up_to: str | None = None
    fence_is: str | None = None
    updated_at: datetime | None = None

    def holds(self, job: Job) -> bool:
        """Return whether the job meets the conditions; its expiry is not checked here."""
        return (
            (self.status_in is None or job.status in self.status_in)
            and (self.generation is None or job.generation == self.generation)
            and (self.fence_up_to is None or job.fence <= self.fence_up_to)
            and (self.fence_is is None or job.fence == self.fence_is)
            and (self.updated_at is None or job.updated_at == self.updated_at)
        )


class StaleWrite(Exception):
    """The guard did not hold, and nothing was written. `current` is the stored job, None if there is none."""

    def __init__(self, current: Job | None) -> None:
        super().__init__(f"the job is {current.status}" if current else "the job has expired")
        self.current = current


@dataclass(frozen=True, slots=True)
class PreparedWrites:
    """Side writes for a job's transaction. Only the stores of one database know the form of `writes`.

    `stored` is called after the transaction has succeeded, to announce what was written. It must not fail; a process
    that dies before does not call it.
    """

    writes: tuple[Any, ...]
    stored: tuple[Callable[[], None], ...] = ()


MOST_SIDE_WRITES = 95
"""Most side writes of one transition: DynamoDB takes 100, and the job, its idempotency key and its links are five."""


class SideWriteConflict(Exception):
    """A condition of the side writes did not hold, and nothing was written. Prepare the side writes again."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which of an owner's jobs to list; None matches every job.

    `search` is a part of the title, or the beginning of the id.
    """

    pipeline: str | None = None
    status: JobStatus | None = None
    session_id: str | None = None
    run_id: str | None = None
    project_id: str | None = None
    search: str | None = None

    @classmethod
    def of_link(cls, kind: LinkKind, entity_id: str) -> JobFilter:
        """Return the filter for the jobs that are linked to this entity."""
        links = JobLinks.model_validate({kind: entity_id})
        return cls(session_id=links.session_id, run_id=links.run_id, project_id=links.project_id)

    @property
    def link(self) -> tuple[LinkKind, str] | None:
        """Return the filter's link with the fewest jobs, a session before a run and a project; None if it has none."""
        links = JobLinks.model_construct(session_id=self.session_id, run_id=self.run_id, project_id=self.project_id)
        return next(iter(links.by_kind().items()), None)

    def matches(self, job: Job) -> bool:
        """Return whether the job passes the filter."""
        return (
            (self.pipeline is None or job.pipeline == self.pipeline)
            and (self.status is None or job.status == self.status)
            and (self.session_id is None or job.links.session_id == self.session_id)
            and (self.run_id is None or job.links.run_id == self.run_id)
            and (self.project_id is None or job.links.project_id == self.project_id)
            and (self.search is None or found_by(self.search, job_id=job.id, title=job.title))
        )


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs, newest first; `cursor` is None on the last page.

    A page with a cursor may have fewer jobs than its limit, or none, if few jobs match the filter.
    """

    jobs: Sequence[Job]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class LivePage:
    """Some live jobs. `cursor` is the id of the last job that the store has looked at; None if there are no more."""

    jobs: Sequence[Job]
    cursor: str | None


class JobStore(Protocol):
    """Store jobs. For every method, an expired job does not exist."""

    def put_new(self, job: Job, *, side_writes: PreparedWrites | None = None) -> None:
        """Store a new job together with its side writes. Storing the same job again changes nothing.

        Raises:
            ValueError: another job has this id.
            SideWriteConflict: the id is free, but a condition of the side writes does not hold.
        """

    def get(self, job_id: str, *, consistent: bool = True) -> Job | None:
        """Return the job; None if there is none.

        Without `consistent`, at half the price, it can be the job as it was up to a second ago, or one that was erased
        since. A job that is new, or was restored after it had expired, is found nevertheless.
        """

    def update(
        self, job_id: str, changes: Mapping[str, Any], *, when: JobGuard, side_writes: PreparedWrites | None = None
    ) -> Job:
        """Set the fields of `changes`, together with the side writes, and return the updated job.

        Raises:
            StaleWrite: the guard does not hold.
            SideWriteConflict: the guard holds, but a condition of the side writes does not.
        """

    def add_compute(self, job_id: str) -> None:
        """Add to the job, if it still exists, what this invocation has used of AWS and no other write has added.

        `put_new` and `update` do so with each of their writes (see `shared/observability/metering.py`).
        """

    def prepare_check(self, job_id: str, *, when: JobGuard) -> PreparedWrites:
        """Prepare a condition that writes nothing, for another store's transaction: the guard holds."""

    def live(self, *, cursor: str | None, limit: int) -> LivePage:
        """Return pending and in_progress jobs, at most `limit`; the latest transitions may be missing.

        The store decides the order, and `cursor` is the id of the job after which to continue: one of an earlier
        page, live or not. A job that cannot be read is logged and left out.
        """

    def list_owned(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Return a page of the owner's jobs, newest first.

        A filter by a link reads the jobs of that link only, strongly consistent.

        Raises ValueError for an invalid cursor.
        """

    def renew_links(self, job: Job) -> None:
        """List the job under its links for as long as `job.expires_at` says. Call this before a resumption."""

    def restore(self, job: Job) -> bool:
        """Store an archived job again, with its places under its links, and return whether it is not erased.

        If the job is stored and has not expired, change nothing.
        """

    def mark_erased(self, owner: str, job_id: str) -> None:
        """Note that the owner's job is being erased, so that no process stores anything of it again.

        The note lasts for days, longer than a record of the table's stream.
        """

    def is_erased(self, job_id: str) -> bool:
        """Return whether the job has been marked as erased, strongly consistent."""

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        """Yield the ids of all jobs of the owner that are stored, also of expired ones; the latest may be missing.

        With `gone`, yield those of erased jobs that `purge` has not removed.
        """

    def owner_of(self, job_id: str) -> str | None:
        """Return the owner of a job that is stored, expired or erased but not purged; None if nothing is stored."""

    def erase(self, job_id: str) -> None:
        """Delete the job, expired or not, and its places under its links. It can be repeated if it fails."""

    def purge(self, job_id: str) -> None:
        """Remove everything that is still stored of an erased job, its log included. It can be repeated if it fails.

        Only the note of `mark_erased` stays, without the owner. Call this when no attempt at the job can still run.
        """
