"""Read archived jobs for their owner: one as it ended, or a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from shared.archive.record import ArchivedHead, ArchivedJob
from shared.archive.retention import ArchiveDays
from shared.archive.store import ArchiveStore
from shared.jobs.ending import terminal_events
from shared.jobs.ids import JOB_ID
from shared.jobs.job import Job
from shared.jobs.queries import Archived, JobView
from shared.jobs.store import JobFilter, JobPage
from shared.log.transcript import Transcript

MOST_READ = 100
"""How many records one page of a list looks at, at most, also if none matches its filter."""


class ArchivedJobs:
    """Implements JobArchive on the records of an ArchiveStore."""

    def __init__(self, *, archive: ArchiveStore, days: ArchiveDays) -> None:
        self._archive = archive
        self._days = days

    def find(self, owner: str, job_id: str) -> JobView | None:
        """Return the owner's job as it ended; None if it is not archived."""
        record = self._archive.get(owner, job_id)
        return None if record is None else self._view(record)

    def page(self, owner: str, *, month: str | None, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Return a page of the owner's archived jobs, as the port says. Raises ValueError for an invalid cursor."""
        if cursor is not None and not JOB_ID.fullmatch(cursor):
            raise ValueError("not a cursor")
        after = cursor
        found: list[Job] = []
        looked_at = 0
        while True:
            # One more than needed, to know whether there are more.
            most = min(limit - len(found), MOST_READ - looked_at)
            ids = self._ids(owner, month, where, after=after, limit=most + 1)
            heads = self._archive.heads(owner, ids[:most])
            found += [self._expiring(head, head.job) for head in heads if where.matches(head.job)]
            if len(ids) <= most:
                return JobPage(found, None)
            after, looked_at = ids[most - 1], looked_at + most
            if len(found) == limit or looked_at == MOST_READ:
                return JobPage(found, after)

    def _ids(self, owner: str, month: str | None, where: JobFilter, *, after: str | None, limit: int) -> Sequence[str]:
        if month is not None:
            return self._archive.page(owner, month, after=after, limit=limit)
        if where.link is None:
            raise ValueError("a list without a month needs a link")
        return list(islice(self._archive.linked(owner, *where.link, after=after), limit))

    def _view(self, record: ArchivedJob) -> JobView:
        job = self._expiring(record, record.whole_job)
        transcript = Transcript.of_snapshot(record.snapshot(record.last_event_id))
        transcript.ended = terminal_events(job)[-1]
        archived = Archived(record.archived_at, record.history, record.history_is_whole)
        return JobView(job, transcript, record.result, archived)

    def _expiring(self, head: ArchivedHead, job: Job) -> Job:
        return job.model_copy(update={"expires_at": int(self._days.expires_at(head).timestamp())})
