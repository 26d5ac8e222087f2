"""Find the model calls that no attempt has counted, because it was killed or has left its response running."""

from __future__ import annotations

from shared.jobs.job import Job
from shared.log.event_log import LogTail
from shared.log.fence import Fence
from shared.log.usage import UNREPORTED, TokenUsage


def attempt_has_ended(job: Job) -> bool:
    """Return whether the job's last attempt has stored how it ended. If not, it runs or was killed."""
    fault = job.last_fault
    return fault is not None and (fault.stage, fault.attempt) == (job.stage, job.attempt)


def attempt_is_open(job: Job) -> bool:
    """Return whether an attempt of the job's generation has begun and is not known to have ended."""
    if job.stage is None or job.stage in job.checkpoints or attempt_has_ended(job):
        return False
    return bool(job.fence) and Fence.parse(job.fence).generation == job.generation


def uncounted_calls(job: Job, tail: LogTail, *, read_on: bool = False) -> TokenUsage:
    """Return what the job's last attempt has used and has not counted. The attempt must be over.

    An attempt that was killed counts as one call: it may have made any number, and none is certain. A response that
    was left running counts as one, too, unless `read_on` says that the next attempt reads it to its end. An attempt
    that was killed before it appended its first event has made no call.
    """
    if job.stage is None or job.stage in job.checkpoints or tail.fence is None or str(tail.fence) != job.fence:
        return TokenUsage()
    ended = attempt_has_ended(job)
    if tail.cursor is None:
        return TokenUsage() if ended else UNREPORTED
    # After a fault that is not retried, the attempt has cancelled the response and counted it.
    counted = ended and job.last_fault is not None and not job.last_fault.retryable
    return TokenUsage() if counted or read_on else UNREPORTED
