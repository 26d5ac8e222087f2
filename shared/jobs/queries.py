"""Read jobs for their owner: one with its text and result, or a page of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.errors import FieldIssue, Forbidden, InvalidInput, NotFound
from shared.jobs.checkpoints import CheckpointStore, latest_checkpoint
from shared.jobs.ids import JOB_ID
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobFilter, JobPage, JobStore
from shared.log.event_log import EventLog
from shared.log.reader import read_transcript
from shared.log.transcript import Transcript


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with its transcript so far, and its result if it has completed."""

    job: Job
    transcript: Transcript
    result: dict[str, Any] | None


class JobQueries:
    """Read jobs. `owner` is the authenticated user, who sees only their own jobs."""

    def __init__(self, *, jobs: JobStore, event_log: EventLog, checkpoints: CheckpointStore) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints

    def view(self, owner: str, job_id: str) -> JobView:
        """Return the job with its transcript and result. Raises NotFound and Forbidden, as `owned` does."""
        job = self.owned(owner, job_id)
        transcript = read_transcript(self._log, job_id)
        if transcript.ended is not None and not job.status.ended:
            job = self.owned(owner, job_id)  # it was read before its end, which is stored before the log's
        return JobView(job, transcript, self.result(job))

    def result(self, job: Job) -> dict[str, Any] | None:
        """Return the result of a completed job, which is the output of its last stage; None for any other job."""
        latest = latest_checkpoint(job)
        if job.status is not JobStatus.COMPLETED or latest is None:
            return None
        return self._checkpoints.get(job.id, *latest).output

    def owned(self, owner: str, job_id: str) -> Job:
        """Return the owner's job, as `owned_job` does."""
        return owned_job(self._jobs, owner, job_id)

    def list_jobs(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Return a page of the owner's jobs, newest first, as `JobStore.list_owned` does.

        Raises InvalidInput for an invalid cursor.
        """
        try:
            return self._jobs.list_owned(owner, where=where, limit=limit, cursor=cursor)
        except ValueError:
            raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")]) from None


def every_job(jobs: JobStore, owner: str, where: JobFilter) -> Iterator[Job]:
    """Yield all of the owner's jobs that match, newest first. Each page is read when it is needed."""
    cursor: str | None = None
    while True:
        page = jobs.list_owned(owner, where=where, limit=100, cursor=cursor)
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return


def owned_job(jobs: JobStore, owner: str, job_id: str) -> Job:
    """Return the owner's job.

    Raises:
        NotFound: the job does not exist or has expired.
        Forbidden: the job has another owner.
    """
    job = jobs.get(job_id) if JOB_ID.fullmatch(job_id) else None
    if job is None:
        raise unknown_job(job_id)
    if job.owner != owner:
        raise Forbidden("this job belongs to another user")
    return job


def unknown_job(job_id: str) -> NotFound:
    """Return the error for a job that does not exist; it shows at most 64 characters of the client's id."""
    return NotFound(f"job {job_id[:64]} was not found or has expired")
