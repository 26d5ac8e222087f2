"""Erase jobs: remove everything that is stored for them before they expire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from shared.clock import Clock
from shared.errors import Forbidden
from shared.jobs.cancellation import JobCancellation
from shared.jobs.checkpoints import CheckpointStore
from shared.jobs.ids import JOB_ID
from shared.jobs.job import LinkKind
from shared.jobs.queries import every_job, unknown_job
from shared.jobs.store import JobFilter, JobStore
from shared.log.event_log import EventLog
from shared.observability.log import log


class ArchivedRecords(Protocol):
    """What is kept of jobs after they have expired, as far as an erasure needs it."""

    def get(self, owner: str, job_id: str) -> object | None:
        """Return the record of the owner's job; None if there is none."""

    def linked(self, owner: str, kind: LinkKind, entity_id: str) -> Iterator[str]:
        """Yield the ids of the owner's archived jobs that are linked to this entity."""

    def erase(self, owner: str, job_id: str) -> None:
        """Delete the job's record and its places under its links. It can be repeated."""

    def erase_place(self, owner: str, kind: LinkKind, entity_id: str, job_id: str) -> None:
        """Delete the job's place under a link, also if no record is stored that names the link."""


class JobErasure:
    """Erase jobs with their input, their events and the outputs of their stages, and with their archived records."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        checkpoints: CheckpointStore,
        cancellation: JobCancellation,
        archive: ArchivedRecords,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._cancellation = cancellation
        self._archive = archive
        self._clock = clock

    def erase_linked(self, owner: str, kind: LinkKind, entity_id: str) -> None:
        """Erase the owner's ended jobs that are linked to this entity, also expired ones. It can be repeated.

        Live jobs continue, and are not archived when they end, because the entity is gone: so first hide it.
        """
        for job in every_job(self._jobs, owner, JobFilter.of_link(kind, entity_id)):
            if job.status.ended:
                self.erase(owner, job.id)
        for job_id in self._archive.linked(owner, kind, entity_id):
            self.erase(owner, job_id)
            self._archive.erase_place(owner, kind, entity_id, job_id)

    def delete(self, owner: str, job_id: str) -> None:
        """Cancel the owner's job if it is live, and remove everything that is stored for it, also if it has expired.

        A run, session or project that the job belongs to keeps what the job has stored there, as if the job had been
        cancelled and had expired. It can be repeated, and completes a deletion that has failed halfway.

        Raises:
            NotFound: nothing of a job with this id is stored.
            Forbidden: the job has another owner.
        """
        if not JOB_ID.fullmatch(job_id):
            raise unknown_job(job_id)
        stored = self._jobs.owner_of(job_id)
        if stored is not None and stored != owner:
            raise (
                unknown_job(job_id) if self._jobs.get(job_id) is None else Forbidden("this job belongs to another user")
            )
        if stored is None and self._archive.get(owner, job_id) is None:
            raise unknown_job(job_id)
        self.erase(owner, job_id)

    def erase(self, owner: str, job_id: str) -> None:
        """Cancel the job if it is live, and remove everything that is stored for it.

        Also erase a job that has expired, because DynamoDB and S3 delete later. So the caller must know from elsewhere
        that such a job was the owner's. If an erasure failed halfway, call this again: it completes the erasure.

        Raises Forbidden if the job has another owner.
        """
        job = self._jobs.get(job_id)
        if job is not None and job.owner != owner:
            raise Forbidden("this job belongs to another user")
        # From here on, a process that archives or restores the job removes again what it has stored.
        self._jobs.mark_erased(owner, job_id)
        # From here on, no reader sees the job and no attempt can change it.
        self._cancellation.cancel_and_hide(owner, job_id)
        self._log.erase(job_id, expires_at=int(self._clock().timestamp()))
        self._checkpoints.erase(job_id)
        self._archive.erase(owner, job_id)
        self._jobs.erase(job_id)
        log.info("job erased", job_id=job_id)

    def purge(self, job_id: str) -> None:
        """Remove what an erasure leaves behind to keep late attempts out. Call this when none can still run."""
        self._log.purge(job_id)
        self._checkpoints.erase(job_id)
        self._jobs.purge(job_id)
