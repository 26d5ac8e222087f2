"""How far a job is, as its message and its render show it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from shared.jobs.job import Job, JobStatus

JobState: TypeAlias = Literal["running", "completed", "failed", "cancelled"]


def state_of(job: Job) -> JobState:
    """Return the state of the job; a job that has not begun is running too."""
    match job.status:
        case JobStatus.COMPLETED:
            return "completed"
        case JobStatus.FAILED:
            return "failed"
        case JobStatus.CANCELLED:
            return "cancelled"
        case _:
            return "running"
