"""Read jobs for their owner: one with its text and result, or a page of them; from the archive if it has expired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from shared.errors import FieldIssue, Forbidden, InvalidInput, NotFound
from shared.jobs.checkpoints import CheckpointStore, latest_checkpoint
from shared.jobs.ids import JOB_ID
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobFilter, JobPage, JobStore
from shared.log.event_log import EventLog
from shared.log.history import HistoryEntry
from shared.log.reader import read_transcript
from shared.log.transcript import Transcript

CURSOR_RULE = "must be the `cursor` of an earlier page"
"""The rule of the cursor of a list."""


MOST_RUNNING = 25
"""Of how many jobs of a page the log is read for their progress: more than a user creates in two minutes."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What is known of a job because it is archived: its history, which is whole unless `history_is_whole` is false."""

    archived_at: datetime
    history: Sequence[HistoryEntry]
    history_is_whole: bool


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with its transcript so far, and its result if it has completed. `archived` is None until it has expired.

    The job of an archived view expires when it is deleted from the archive.
    """

    job: Job
    transcript: Transcript
    result: dict[str, Any] | None
    archived: Archived | None = None


class JobArchive(Protocol):
    """Read ended jobs after they have expired."""

    def find(self, owner: str, job_id: str) -> JobView | None:
        """Return the owner's job as it ended; None if it is not archived."""

    def page(self, owner: str, *, month: str | None, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Return a page of the owner's archived jobs, in the order of their creation, without their inputs.

        Without `month`, such as `2026-11`, the filter must have a link, and all jobs under the link are looked at.

        Raises ValueError for an invalid cursor.
        """


class NoArchive:
    """Implements JobArchive for those who want jobs that have not expired only."""

    def find(self, owner: str, job_id: str) -> JobView | None:  # noqa: ARG002 - as the port has them
        """Return None."""
        return None

    def page(
        self,
        owner: str,  # noqa: ARG002
        *,
        month: str | None,  # noqa: ARG002
        where: JobFilter,  # noqa: ARG002
        limit: int,  # noqa: ARG002
        cursor: str | None,  # noqa: ARG002
    ) -> JobPage:
        """Return an empty page."""
        return JobPage((), None)


class JobQueries:
    """Read jobs. `owner` is the authenticated user, who sees only their own jobs."""

    def __init__(
        self, *, jobs: JobStore, event_log: EventLog, checkpoints: CheckpointStore, archive: JobArchive
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._archive = archive

    def view(self, owner: str, job_id: str) -> JobView:
        """Return the job with its transcript and result. Raises NotFound and Forbidden, as `owned` does."""
        found = self.find(owner, job_id)
        if isinstance(found, JobView):
            return found
        job, transcript = found, read_transcript(self._log, job_id)
        if transcript.ended is not None and not job.status.ended:
            job = owned_job(self._jobs, owner, job_id)  # it was read before its end, which is stored before the log's
        return JobView(job, transcript, self.result(job))

    def find(self, owner: str, job_id: str, *, consistent: bool = True) -> Job | JobView:
        """Return the job, or the view of it that is archived if it has expired. `consistent` is as in `JobStore.get`.

        Raises NotFound and Forbidden, as `owned` does.
        """
        try:
            return owned_job(self._jobs, owner, job_id, consistent=consistent)
        except NotFound:
            archived = self._archive.find(owner, job_id) if JOB_ID.fullmatch(job_id) else None
            if archived is None:
                raise
            return archived

    def result(self, job: Job) -> dict[str, Any] | None:
        """Return the result of a completed job, which is the output of its last stage; None for any other job."""
        latest = latest_checkpoint(job)
        if job.status is not JobStatus.COMPLETED or latest is None:
            return None
        return self._checkpoints.get(job.id, *latest).output

    def owned(self, owner: str, job_id: str) -> Job:
        """Return the owner's job, as it ended if it has expired and is archived.

        Raises:
            NotFound: the job does not exist, or has expired and is not archived.
            Forbidden: the job has not expired and has another owner.
        """
        found = self.find(owner, job_id)
        return found.job if isinstance(found, JobView) else found

    def list_archived(
        self, owner: str, *, month: str | None, where: JobFilter, limit: int, cursor: str | None
    ) -> JobPage:
        """Return a page of the owner's archived jobs, as `JobArchive.page` does.

        Raises InvalidInput for an invalid cursor.
        """
        try:
            return self._archive.page(owner, month=month, where=where, limit=limit, cursor=cursor)
        except ValueError:
            raise InvalidInput([FieldIssue("cursor", CURSOR_RULE)]) from None

    def list_jobs(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Return a page of the owner's jobs, newest first, as `JobStore.list_owned` does.

        The progress of the first MOST_RUNNING jobs in progress is that of their logs.

        Raises InvalidInput for an invalid cursor.
        """
        try:
            page = self._jobs.list_owned(owner, where=where, limit=limit, cursor=cursor)
        except ValueError:
            raise InvalidInput([FieldIssue("cursor", CURSOR_RULE)]) from None
        return replace(page, jobs=self._with_progress(page.jobs))

    def _with_progress(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Return the jobs, those in progress with the progress of their logs: a job's item has it of a stage's end."""
        running = [job.id for job in jobs if job.status is JobStatus.IN_PROGRESS][:MOST_RUNNING]
        progress = self._log.progress_of(running)
        return [job.model_copy(update={"progress": progress[job.id]}) if job.id in progress else job for job in jobs]


def every_job(jobs: JobStore, owner: str, where: JobFilter) -> Iterator[Job]:
    """Yield all of the owner's jobs that match, newest first. Each page is read when it is needed."""
    cursor: str | None = None
    while True:
        page = jobs.list_owned(owner, where=where, limit=100, cursor=cursor)
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return


def owned_job(jobs: JobStore, owner: str, job_id: str, *, consistent: bool = True) -> Job:
    """Return the owner's job. `consistent` is as in `JobStore.get`.

    Raises:
        NotFound: the job does not exist or has expired.
        Forbidden: the job has another owner.
    """
    job = jobs.get(job_id, consistent=consistent) if JOB_ID.fullmatch(job_id) else None
    if job is None:
        raise unknown_job(job_id)
    if job.owner != owner:
        raise Forbidden("this job belongs to another user")
    return job


def unknown_job(job_id: str) -> NotFound:
    """Return the error for a job that does not exist; it shows at most 64 characters of the client's id."""
    return NotFound(f"job {job_id[:64]} was not found or has expired")
