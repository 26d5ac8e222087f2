"""The port to the workflow engine: starting and stopping a job's execution."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from shared.jobs.job import Job


class ExecutionState(StrEnum):
    """As far as anybody outside can tell."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


class ExecutionNotStarted(Exception):
    """The engine refused or could not be reached; `reason` is for the log."""


class Executions(Protocol):
    """One execution per generation of a job, named after the job: starting the same one twice starts it once."""

    def arn_of(self, job: Job) -> str: ...

    def state_of(self, job: Job) -> ExecutionState: ...

    def start(self, job: Job) -> None:
        """Raises ExecutionNotStarted."""

    def stop(self, job: Job) -> None:
        """Stop the job's execution if it runs. Never fails: a stopped job's execution comes to nothing anyway."""


def execution_name(job: Job) -> str:
    """The job's id, with the generation from the second on."""
    return job.id if job.generation == 1 else f"{job.id}-{job.generation}"
