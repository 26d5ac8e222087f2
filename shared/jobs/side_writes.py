"""Write a job's transition and its side writes in one DynamoDB transaction: all succeed or all fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from shared.errors import StorageThrottled
from shared.jobs.job import Job
from shared.jobs.store import MOST_SIDE_WRITES, JobGuard, JobStore, PreparedWrites, SideWriteConflict, StaleWrite

MAX_ATTEMPTS = 5
"""Maximum attempts when what a transition writes changes between reading it and committing the transaction."""


class SideWrites(Protocol):
    """Prepare the side writes of a job's transitions. None means that there is nothing to write.

    Both methods are called again if another process has changed what they read before the transaction was committed,
    so they must not change anything themselves. Two contributors must not write the same item, because DynamoDB refuses
    a transaction that does.
    """

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the side writes of a new job.

        Raises InvalidInput or Conflict if the job must not be created: the client gets this error, and nothing is
        stored.
        """

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare the side writes of an end or a resumption. `job` is the job after the transition.

        For a job that has already ended, prepare the side writes that are still missing; None if none is.

        Raises Conflict or CheckpointUnfit if the job must not be resumed. An end is never refused: if there is no
        longer an item to write to, return None.
        """


class CombinedSideWrites:
    """Implements SideWrites with several contributors: those of every job, then those of the job's pipeline.

    A contributor with nothing to write does not affect the others. `of_pipeline` is called once for each pipeline.
    """

    def __init__(self, *of_every_job: SideWrites, of_pipeline: Callable[[str], Sequence[SideWrites]]) -> None:
        self._of_every_job = of_every_job
        self._of_pipeline = of_pipeline
        self._contributors: dict[str, Sequence[SideWrites]] = {}

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the side writes of all contributors. Raises what one of them raises."""
        return self._combine(job, lambda each: each.on_creation(job))

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare the side writes of all contributors. Raises what one of them raises."""
        return self._combine(job, lambda each: each.on_transition(job))

    def _combine(self, job: Job, prepare: Callable[[SideWrites], PreparedWrites | None]) -> PreparedWrites | None:
        counts: dict[str, int] = {}
        writes: list[Any] = []
        stored: list[Callable[[], None]] = []
        for each in self._contributors_of(job):
            prepared = prepare(each)
            if prepared is not None:
                counts[type(each).__name__] = len(prepared.writes)
                writes += prepared.writes
                stored += prepared.stored
        if len(writes) > MOST_SIDE_WRITES:
            by_contributor = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise TooManySideWrites(
                f"a transition of pipeline {job.pipeline} has {len(writes)} side writes ({by_contributor}); "
                f"DynamoDB takes at most {MOST_SIDE_WRITES} with a job in one transaction"
            )
        return PreparedWrites(tuple(writes), tuple(stored)) if counts else None

    def _contributors_of(self, job: Job) -> Sequence[SideWrites]:
        if job.pipeline not in self._contributors:
            self._contributors[job.pipeline] = (*self._of_every_job, *self._of_pipeline(job.pipeline))
        return self._contributors[job.pipeline]


class TooManySideWrites(Exception):
    """A defect of a contributor: its side writes do not fit into one transaction, so nothing was written."""


def put_together(side_writes: SideWrites, jobs: JobStore, job: Job, prepared: PreparedWrites | None) -> None:
    """Store a new job together with its side writes.

    `prepared` is the result of `side_writes.on_creation`. If another process has changed what it depends on, prepare
    the side writes again. Make at most MAX_ATTEMPTS attempts.

    Raises:
        StorageThrottled: the side writes were refused at every attempt.
        InvalidInput, Conflict: a contributor refuses the job.
    """
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            prepared = side_writes.on_creation(job)
        try:
            jobs.put_new(job, side_writes=prepared)
        except SideWriteConflict:
            continue
        return _tell(prepared)
    raise StorageThrottled("other requests are changing what the job refers to; try again")


def update_together(
    side_writes: SideWrites, jobs: JobStore, job: Job, changes: Mapping[str, Any], *, when: JobGuard
) -> Job:
    """Update the job together with its side writes, and return the updated job.

    `job` is the job as the caller has read it. The side writes depend on all of its fields. So if another process
    changes the job or what is written with it, and the guard still holds, prepare them again, at most MAX_ATTEMPTS
    times.

    Raises:
        StaleWrite: the guard does not hold.
        StorageThrottled: the job or what is written with it has changed before every attempt.
        Conflict, CheckpointUnfit: a contributor refuses the resumption.
    """
    for _ in range(MAX_ATTEMPTS):
        if not when.holds(job):
            raise StaleWrite(job)
        prepared = side_writes.on_transition(job.model_copy(update=dict(changes)))
        if prepared is None:
            return jobs.update(job.id, changes, when=when)
        try:
            updated = jobs.update(job.id, changes, when=replace(when, updated_at=job.updated_at), side_writes=prepared)
        except SideWriteConflict:
            continue
        except StaleWrite as stale:
            if stale.current is None:
                raise
            job = stale.current
        else:
            _tell(prepared)
            return updated
    raise StorageThrottled("other requests are changing the job and what is written with it; try again")


def _tell(prepared: PreparedWrites | None) -> None:
    """Call what the contributors want to be called after the transaction."""
    for each in prepared.stored if prepared is not None else ():
        each()
