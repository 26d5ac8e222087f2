"""Erase jobs: remove everything that is stored for them before they expire."""

from __future__ import annotations

from shared.clock import Clock
from shared.jobs.cancellation import JobCancellation
from shared.jobs.checkpoints import CheckpointStore
from shared.jobs.store import JobStore
from shared.log.event_log import EventLog
from shared.observability.log import log


class JobErasure:
    """Erase jobs with their input, their events and the outputs of their stages."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        checkpoints: CheckpointStore,
        cancellation: JobCancellation,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._cancellation = cancellation
        self._clock = clock

    def erase(self, owner: str, job_id: str) -> None:
        """Cancel the job if it is live, and remove everything that is stored for it.

        Also erase a job that has expired, because DynamoDB and S3 delete later. So the caller must know from elsewhere
        that such a job was the owner's. If an erasure failed halfway, call this again: it completes the erasure.

        Raises Forbidden if the job has another owner.
        """
        # From here on, no reader sees the job and no attempt can change it.
        self._cancellation.cancel_and_hide(owner, job_id)
        self._log.erase(job_id, expires_at=int(self._clock().timestamp()))
        self._checkpoints.erase(job_id)
        self._jobs.erase(job_id)
        log.info("job erased", job_id=job_id)
