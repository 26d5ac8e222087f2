"""End a job: first write its final status, then append the terminal event that follows from it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared.clock import Clock
from shared.errors import AttemptStopped, ErrorCode
from shared.jobs.accounts import attempt_has_ended, attempt_is_open, uncounted_calls
from shared.jobs.checkpoints import latest_checkpoint
from shared.jobs.costs import usage_of, usage_with_price
from shared.jobs.job import LIVE, Fault, Job, JobStatus
from shared.jobs.pipeline import Pipeline
from shared.jobs.side_writes import SideWrites, update_together
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.log.claim import claim
from shared.log.event_log import EventLog, LogTail
from shared.log.events import Cancelled, Complete, Failed, Progress, StoredEvent
from shared.log.fence import Fence
from shared.log.usage import UNREPORTED, TokenUsage
from shared.observability import metering
from shared.observability.metering import Count
from shared.observability.metrics import metrics

ENDING_STAGE_INDEX = 999
"""The stage index in the fence of a terminal event. It is above every stage, so it stops the running attempt."""

UNKNOWN_FAILURE = Fault(code=ErrorCode.INTERNAL_ERROR, message="the job failed; its reason is not stored")
"""The failure of a failed job whose item has none, such as one that was changed by hand."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many seconds an ended job is kept if its pipeline sets no other time. `failed` is for cancelled jobs too."""

    completed: int = 600
    failed: int = 3600

    def of(self, pipeline: Pipeline, status: JobStatus) -> int:
        """Return how many seconds a job of the pipeline is kept after it ended with `status`."""
        if status is JobStatus.COMPLETED:
            return self.completed if pipeline.retention_seconds is None else pipeline.retention_seconds
        return self.failed if pipeline.failed_retention_seconds is None else pipeline.failed_retention_seconds


def terminal_events(job: Job) -> tuple[StoredEvent, ...]:
    """Return the last events of an ended job's log. They follow from the job alone, so any process can append them."""
    match job.status:
        case JobStatus.COMPLETED:
            return (Progress(progress=100), Complete(usage=usage_of(job)))
        case JobStatus.CANCELLED:
            running = UNREPORTED if attempt_is_open(job) else TokenUsage()
            return (Cancelled(stage=job.stage, usage=usage_with_price(job.usage + running, job.compute)),)
        case JobStatus.FAILED:
            failure = job.failure or UNKNOWN_FAILURE
            return (
                Failed(
                    code=failure.code,
                    message=failure.message,
                    stage=failure.stage,
                    attempt=failure.attempt,
                    retry_count=job.retry_count,
                    retryable=failure.retryable,
                    request_id=job.request_id,
                    trace_id=job.trace_id,
                    usage=usage_of(job),
                ),
            )
        case _:
            raise ValueError(f"a job that is {job.status} has no terminal event")


def ensure_terminal_event(log: EventLog, job: Job, *, clock: Clock) -> None:
    """Append the ended job's terminal event, unless the log has it or the job was resumed in the meantime.

    A process that ends a job calls this. If it dies before, the next watcher or repeat that finds the ended job calls
    it. So every watcher gets a terminal event.
    """
    fence = Fence.of_attempt(generation=job.generation, stage=ENDING_STAGE_INDEX, retry=0)
    events = terminal_events(job)
    latest = latest_checkpoint(job)
    try:
        if job.status is JobStatus.COMPLETED and latest is not None:
            # The terminal event follows the last checkpoint directly, so the end of the log is already known.
            _, ref = latest
            expected = LogTail(ref.seq, ref.log_bytes, Fence.parse(ref.fence), watched=ref.watched)
            if claim(log, job.id, fence, events, at=clock, expires_at=job.expires_at, expected=expected) is not None:
                return
        claim(log, job.id, fence, events, at=clock, expires_at=job.expires_at)
    except AttemptStopped:
        return


class JobEnder:
    """End live jobs."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        pipelines: Mapping[str, Pipeline],
        retention: Retention,
        side_writes: SideWrites,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._pipelines = pipelines
        self._retention = retention
        self._side_writes = side_writes
        self._clock = clock

    def end(
        self,
        job: Job,
        to: JobStatus,
        *,
        status_in: frozenset[JobStatus] = LIVE,
        details: Mapping[str, Any] | None = None,
        part_killed: bool = False,
    ) -> Job:
        """End this generation of the job with status `to`, append the terminal event, and return the job.

        `status_in` are the statuses that the job may have before; `details` are further fields to set. `part_killed`
        says that an attempt at a part of a fan-out was killed. If this generation has already ended with status `to`,
        only append the terminal event if it is missing.

        Raises StaleWrite if the job has ended with another status, was resumed, or has expired.
        """
        now = self._clock()
        kept = timedelta(seconds=self._retention.of(self._pipelines[job.pipeline], to))
        changes = {
            **(details or {}),
            "status": to,
            "ended_at": now,
            "updated_at": now,
            # Not later than a job that never ends: what is stored for it lasts until then.
            "expires_at": min(int((now + kept).timestamp()), job.expires_at),
        }
        guard = JobGuard(status_in=status_in, generation=job.generation)
        uncounted = self._uncounted_at_end(job, to, part_killed=part_killed)
        self._count_end(job, to, part_killed=part_killed)
        try:
            ended = self._update(job, changes, guard, uncounted)
            metrics.job_ended(to.value, (now - ended.created_at).total_seconds(), pipeline=ended.pipeline)
        except StaleWrite as stale:
            if stale.current is None or (stale.current.status, stale.current.generation) != (to, job.generation):
                raise
            ended = stale.current
        ensure_terminal_event(self._log, ended, clock=self._clock)
        self._record_late_items(ended)
        return ended

    def _update(self, job: Job, changes: Mapping[str, Any], guard: JobGuard, uncounted: TokenUsage) -> Job:
        """Write the transition, and add the uncounted tokens to those that the job has at that moment."""
        if uncounted == TokenUsage():
            return update_together(self._side_writes, self._jobs, job, changes, when=guard)
        while True:
            counted = {**changes, "usage": job.usage + uncounted}
            unchanged = replace(guard, updated_at=job.updated_at)
            try:
                return update_together(self._side_writes, self._jobs, job, counted, when=unchanged)
            except StaleWrite as stale:
                if stale.current is None or not guard.holds(stale.current):
                    raise
                job = stale.current

    def _uncounted_at_end(self, job: Job, to: JobStatus, *, part_killed: bool) -> TokenUsage:
        """Return what the job has used and no attempt has counted. An attempt that runs counts its own calls later."""
        if to is JobStatus.COMPLETED or job.status is not JobStatus.IN_PROGRESS or job.stage is None:
            return TokenUsage()
        if job.stage in self._pipelines[job.pipeline].parts and attempt_has_ended(job):
            return UNREPORTED if part_killed else TokenUsage()  # the last fault may be that of another part
        if to is JobStatus.CANCELLED and not attempt_has_ended(job):
            return TokenUsage()
        return uncounted_calls(job, self._log.tail(job.id))

    def _count_end(self, job: Job, to: JobStatus, *, part_killed: bool) -> None:
        """Count an attempt that was killed, and the append of the terminal event, which no later write can add."""
        fans_out = job.stage in self._pipelines[job.pipeline].parts
        if to is JobStatus.FAILED and (part_killed if fans_out else attempt_is_open(job)):
            metering.count(Count.LOST_INVOCATIONS)
        metering.expect(requests=1 if to is JobStatus.COMPLETED else 2, write_units=1)

    def _record_late_items(self, ended: Job) -> None:
        """Record the items that a stage appended after the side writes were prepared and before the terminal event."""
        if ended.status is JobStatus.COMPLETED or self._side_writes.on_transition(ended) is None:
            return
        guard = JobGuard(status_in=frozenset({ended.status}), generation=ended.generation)
        with contextlib.suppress(StaleWrite):  # the job was resumed: its next end records these items
            update_together(self._side_writes, self._jobs, ended, {"updated_at": self._clock()}, when=guard)
