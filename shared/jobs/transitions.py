"""One change of a job's status, as the consumers of the table's stream see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.jobs.job import Job, JobStatus


@dataclass(frozen=True, slots=True)
class JobTransition:
    """A change of a job's status: `job` is the job after it, `before` its status before; None: the job was created.

    `changed_at` is when the job was changed, and `record_id` the id of the stream's record. A record can be delivered
    several times, always with the same id; another change of the same job has another.
    """

    job: Job
    before: JobStatus | None
    changed_at: datetime
    record_id: str

    @property
    def created(self) -> bool:
        """Return whether the job did not exist before."""
        return self.before is None

    @property
    def resumed(self) -> bool:
        """Return whether the job had ended and is live again."""
        return self.before is not None and self.before.ended and not self.job.status.ended

    @property
    def ended(self) -> bool:
        """Return whether the job was live, or did not exist, and has ended."""
        return self.job.status.ended and (self.before is None or not self.before.ended)
