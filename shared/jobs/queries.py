"""What can be read of jobs over HTTP: one, many, what it has come to."""

from __future__ import annotations

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
    """A job with what its log adds up to so far, and its result once it has one."""

    job: Job
    transcript: Transcript
    result: dict[str, Any] | None


class JobQueries:
    """Reads jobs. Every method takes the owner who asks, and shows nobody somebody else's job."""

    def __init__(self, *, jobs: JobStore, event_log: EventLog, checkpoints: CheckpointStore) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints

    def view(self, owner: str, job_id: str) -> JobView:
        """The job, its text, stage and progress so far, and its result. Raises NotFound, Forbidden."""
        job = self.owned(owner, job_id)
        return JobView(job, read_transcript(self._log, job_id), self.result(job))

    def result(self, job: Job) -> dict[str, Any] | None:
        """The result of a completed job: the output of the stage that finished last."""
        latest = latest_checkpoint(job)
        if job.status is not JobStatus.COMPLETED or latest is None:
            return None
        return self._checkpoints.get(job.id, *latest).output

    def owned(self, owner: str, job_id: str) -> Job:
        """Raises NotFound for an unknown or expired job, Forbidden for somebody else's."""
        return owned_job(self._jobs, owner, job_id)

    def list_jobs(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Newest first. Raises InvalidInput for a cursor that is not ours."""
        try:
            return self._jobs.list_owned(owner, where=where, limit=limit, cursor=cursor)
        except ValueError:
            raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")]) from None


def owned_job(jobs: JobStore, owner: str, job_id: str) -> Job:
    """Raises NotFound for an unknown or expired job, Forbidden for somebody else's."""
    job = jobs.get(job_id) if JOB_ID.fullmatch(job_id) else None
    if job is None:
        raise unknown_job(job_id)
    if job.owner != owner:
        raise Forbidden("this job belongs to somebody else")
    return job


def unknown_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id[:64]}: it never was, or has expired")
