"""End a job as its state machine ends: completed or failed."""

from __future__ import annotations

import json
from typing import Any

from shared import errors
from shared.errors import AttemptSuperseded, ErrorCode, JobEnded, MillraceError
from shared.jobs.ending import JobEnder
from shared.jobs.invocation import CaughtError, FailureInvocation, StageDone, StageInvocation
from shared.jobs.job import LIVE, Fault, Job, JobStatus, ids_of
from shared.jobs.store import JobStore, StaleWrite
from shared.observability import tracing
from shared.observability.log import log

STACK_TRACE_CHARS = 4000
"""Maximum length of a stack trace on the job. Its end is kept, because the fault is there."""


class JobCompletion:
    """Complete and fail jobs. Both methods can be repeated: the second call changes nothing."""

    def __init__(self, *, jobs: JobStore, ender: JobEnder) -> None:
        self._jobs = jobs
        self._ender = ender

    def complete(self, invocation: StageInvocation) -> StageDone:
        """Change the job from `in_progress` to `completed`.

        Raises AttemptStopped if the job has ended with another status or was resumed.
        """
        job = self._current(invocation.job_id, invocation.generation)
        self._end(job, JobStatus.COMPLETED, frozenset({JobStatus.IN_PROGRESS}), {"progress": 100.0})
        return StageDone(job_id=job.id, stage="complete_job")

    def record_failure(self, invocation: FailureInvocation) -> StageDone:
        """Change a live job to `failed` and store the reason.

        Raises AttemptStopped if the job has ended with another status or was resumed.
        """
        job = self._current(invocation.job_id, invocation.generation)
        failure = fault_of(job, invocation.failure)
        self._end(job, JobStatus.FAILED, LIVE, {"failure": failure})
        log.error("job failed", **ids_of(job), code=failure.code, stage=job.stage, error=invocation.failure.error)
        return StageDone(job_id=job.id, stage="record_failure")

    def _current(self, job_id: str, generation: int) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise JobEnded("the job was not found or has expired")
        tracing.annotate(**ids_of(job))
        if job.generation != generation:
            raise AttemptSuperseded("the job was resumed")
        return job

    def _end(self, job: Job, to: JobStatus, status_in: frozenset[JobStatus], details: dict[str, Any]) -> None:
        try:
            self._ender.end(job, to, status_in=status_in, details=details)
        except StaleWrite as stale:
            raise JobEnded(str(stale)) from stale


def fault_of(job: Job, caught: CaughtError) -> Fault:
    """Return the fault to show to the owner for an error that the state machine caught.

    The message is the one that the failing attempt stored on the job. If Lambda killed the attempt, or it reached its
    time limit, it stored none: then the message follows from the error's name.
    """
    code, message = _known(caught.error) or (ErrorCode.INTERNAL_ERROR, "an internal error occurred")
    kind = getattr(errors, caught.error, None)
    stored = job.last_fault
    if stored and kind and stored.code == code and stored.stage == job.stage and stored.attempt == job.attempt:
        message = stored.message
    return Fault(
        code=code,
        message=message,
        stage=job.stage,
        attempt=job.attempt,
        retryable=code in RETRYABLE,
        trace_id=job.trace_id,
        stack_trace=_stack_trace(caught.cause),
    )


RETRYABLE = frozenset(
    {
        ErrorCode.MODEL_RATE_LIMITED,
        ErrorCode.MODEL_NOT_READY,
        ErrorCode.MODEL_TIMEOUT,
        ErrorCode.MODEL_UNAVAILABLE,
        ErrorCode.MODEL_DISCONNECTED,
        ErrorCode.STORAGE_THROTTLED,
        ErrorCode.STORAGE_UNAVAILABLE,
        ErrorCode.EXECUTION_NOT_STARTED,
        ErrorCode.STAGE_TIMEOUT,
        ErrorCode.WORKER_LOST,
    }
)
"""The error codes after which the same request may succeed later."""


def _known(error: str) -> tuple[ErrorCode, str] | None:
    kind = getattr(errors, error, None)
    if isinstance(kind, type) and issubclass(kind, MillraceError):
        return kind.code, _message(kind.__doc__ or error)
    if error in {"States.Timeout", "Sandbox.Timedout"}:
        return ErrorCode.STAGE_TIMEOUT, "the stage reached its time limit"
    if error.startswith(("Lambda.", "Runtime.", "Sandbox.")):
        return ErrorCode.WORKER_LOST, "the stage's function was terminated before the stage finished"
    return None


def _message(docstring: str) -> str:
    """Return the first line of a docstring in the form of a message: lower-case, without a final stop."""
    first = docstring.splitlines()[0].rstrip(".")
    return first[0].lower() + first[1:]


def _stack_trace(cause: str) -> str | None:
    try:
        frames = json.loads(cause)["stackTrace"]
        return "".join(str(frame) for frame in frames)[-STACK_TRACE_CHARS:] or None
    except (ValueError, KeyError, TypeError):
        return None
