"""The port to Step Functions: start, stop and check a job's execution."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from shared.errors import ErrorCode, MillraceError
from shared.jobs.job import Job


class ExecutionState(StrEnum):
    """The state of an execution; UNKNOWN means that no such execution exists."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


class ExecutionNotStarted(Exception):
    """Step Functions refused the start, or could not be reached. The text is for log lines, not for clients."""


class NotStarted(MillraceError):
    """The job is stored as failed, because its execution could not be started."""

    code = ErrorCode.EXECUTION_NOT_STARTED
    retryable = True

    def __init__(self, job: Job) -> None:
        super().__init__("the job's execution could not be started, so the job has failed; send the request again")
        self.job = job


class Executions(Protocol):
    """Manage executions: one for each generation of a job. Its name follows from the job, so it starts only once."""

    def arn_of(self, job: Job) -> str:
        """Return the ARN of the execution of the job's generation, started or not."""

    def state_of(self, job: Job) -> ExecutionState:
        """Return the state of the execution."""

    def start(self, job: Job) -> None:
        """Start the execution, unless it was started before. Raises ExecutionNotStarted."""

    def stop(self, job: Job) -> None:
        """Stop the execution if it runs. Raise nothing: the job has ended, so its execution cannot write any more."""


def execution_name(job: Job) -> str:
    """Return the name of the execution: the job's id, then `-2`, `-3` … from the second generation on."""
    return job.id if job.generation == 1 else f"{job.id}-{job.generation}"
