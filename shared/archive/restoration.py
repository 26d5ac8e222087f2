"""Resume archived jobs: first store again what the resumption needs."""

from __future__ import annotations

import contextlib

from shared.archive.record import ArchivedJob
from shared.archive.store import ArchiveStore
from shared.clock import Clock
from shared.errors import NotFound
from shared.jobs.checkpoints import CheckpointStore
from shared.jobs.ending import ENDING_STAGE_INDEX, terminal_events
from shared.jobs.ids import JOB_ID
from shared.jobs.job import Job
from shared.jobs.queries import unknown_job
from shared.jobs.resumption import RESUMABLE, JobResumption, not_resumable
from shared.jobs.store import JobStore
from shared.log.event_log import Batch, EventLog, SequenceTaken
from shared.log.fence import Fence
from shared.observability.log import log

RESTORED_SECONDS = 3600
"""How long a restored job is kept if its resumption is refused. The resumption sets its own expiry."""


class ArchivedResumption:
    """Resume jobs, also those that have expired and are archived."""

    def __init__(
        self,
        *,
        resumption: JobResumption,
        jobs: JobStore,
        event_log: EventLog,
        checkpoints: CheckpointStore,
        archive: ArchiveStore,
        clock: Clock,
    ) -> None:
        self._resumption = resumption
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._archive = archive
        self._clock = clock

    def resume(self, owner: str, job_id: str, *, trace_id: str | None = None, request_id: str | None = None) -> Job:
        """Resume the job as `JobResumption.resume` does; if it has expired, restore it from the archive first.

        Raises what that raises; NotFound only if the job is not archived either.
        """
        try:
            return self._resumption.resume(owner, job_id, trace_id=trace_id, request_id=request_id)
        except NotFound:
            record = self._archive.get(owner, job_id) if JOB_ID.fullmatch(job_id) else None
            if record is None:
                raise
        if record.job.status not in RESUMABLE:
            raise not_resumable(record.job)
        self._restore(record)
        return self._resumption.resume(owner, job_id, trace_id=trace_id, request_id=request_id)

    def _restore(self, record: ArchivedJob) -> None:
        """Store the log, the outputs and then the job. Two requests at once store the same.

        The log gets a snapshot of all events before the last, and the last event under its own number, so that the
        resumed job continues with the next number and no watcher sees a number twice.

        If the job is erased at this moment, what was stored stays without a job, and expires after RESTORED_SECONDS.

        Raises NotFound if the job was erased.
        """
        if self._jobs.is_erased(record.job.id):
            raise unknown_job(record.job.id)
        expires_at = int(self._clock().timestamp()) + RESTORED_SECONDS
        job = record.whole_job.model_copy(update={"expires_at": expires_at})
        last = record.last_event_id
        if last > 1:
            self._log.renew(job.id, record.snapshot(last - 1), expires_at=expires_at)
        end = Batch(
            last,
            terminal_events(job)[-1:],
            Fence.of_attempt(generation=job.generation, stage=ENDING_STAGE_INDEX, retry=0),
            job.ended_at or job.updated_at,
            record.log_bytes,
            expires_at=expires_at,
        )
        with contextlib.suppress(SequenceTaken):  # DynamoDB has not deleted it yet
            self._log.append(job.id, end)
        for stage, output in record.outputs.items():
            self._checkpoints.put(job, stage, job.checkpoints[stage].fence, output)
        if not self._jobs.restore(job):
            raise unknown_job(job.id)
        log.info("job restored from the archive", job_id=job.id)
