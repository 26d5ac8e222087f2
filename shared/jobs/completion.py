"""End a job as its state machine ends: completed or failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

from shared import errors
from shared.errors import AttemptSuperseded, ErrorCode, JobEnded, MillraceError
from shared.jobs.ending import JobEnder
from shared.jobs.invocation import CaughtError, FailureInvocation, StageDone, StageInvocation
from shared.jobs.job import LIVE, Fault, Job, JobStatus, ids_of
from shared.jobs.store import JobStore, StaleWrite
from shared.observability import metering, tracing
from shared.observability.error_reports import without_folders
from shared.observability.log import log
from shared.observability.metering import Count

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
        metering.count(Count.TRANSITIONS)  # the state Fail that follows
        killed = not _is_ours(getattr(errors, invocation.failure.error, None))
        self._end(job, JobStatus.FAILED, LIVE, {"failure": failure}, part_killed=killed)
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

    def _end(
        self,
        job: Job,
        to: JobStatus,
        status_in: frozenset[JobStatus],
        details: dict[str, Any],
        *,
        part_killed: bool = False,
    ) -> None:
        try:
            self._ender.end(job, to, status_in=status_in, details=details, part_killed=part_killed)
        except StaleWrite as stale:
            raise JobEnded(str(stale)) from stale


def fault_of(job: Job, caught: CaughtError) -> Fault:
    """Return the fault to show to the owner for an error that the state machine caught.

    The message is that of the error which the attempt raised. The state machine has it too, so it is right even if
    several parts of a fan-out have failed; without it, it is the message that the attempt stored on the job. If Lambda
    killed the attempt, or it reached its time limit, there is none: then the message follows from the error's name.
    """
    code, message = _known(caught.error) or (ErrorCode.INTERNAL_ERROR, "an internal error occurred")
    kind = getattr(errors, caught.error, None)
    stored, raised = job.last_fault, _cause(caught).get("errorMessage")
    if _is_ours(kind) and isinstance(raised, str) and raised:
        message = raised
    elif stored and kind and stored.code == code and stored.stage == job.stage and stored.attempt == job.attempt:
        message = stored.message
    return Fault(
        code=code,
        message=message,
        stage=job.stage,
        attempt=job.attempt,
        retryable=code in RETRYABLE,
        trace_id=job.trace_id,
        stack_trace=_stack_trace(caught),
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
    if _is_ours(kind):
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


def _is_ours(kind: object) -> TypeGuard[type[MillraceError]]:
    """Return whether `kind` is a class of the error tree, whose messages are safe to show to the owner."""
    return isinstance(kind, type) and issubclass(kind, MillraceError)


def _cause(caught: CaughtError) -> Mapping[str, Any]:
    """Return Lambda's description of an exception: errorMessage, errorType, stackTrace; empty if it is no such JSON."""
    try:
        cause = json.loads(caught.cause)
    except ValueError:
        return {}
    return cause if isinstance(cause, dict) else {}


def _stack_trace(caught: CaughtError) -> str | None:
    frames = _cause(caught).get("stackTrace")
    if not isinstance(frames, list):
        return None
    return "".join(without_folders(str(frame)) for frame in frames)[-STACK_TRACE_CHARS:] or None
