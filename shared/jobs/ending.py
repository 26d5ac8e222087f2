"""How a job ends: the move on the job decides, then the terminal event follows from it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.clock import Clock
from shared.errors import AttemptStopped
from shared.jobs.checkpoints import latest_checkpoint
from shared.jobs.job import LIVE, Job, JobStatus
from shared.jobs.pipeline import Pipeline
from shared.jobs.side_writes import SideWrites, update_together
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.log.claim import claim
from shared.log.event_log import EventLog, LogTail
from shared.log.events import Cancelled, Complete, Failed, Progress, StoredEvent
from shared.log.fence import Fence
from shared.observability.metrics import metrics

ENDING_STAGE_INDEX = 999
"""The stage number of whoever ends a job from outside its stages: above every stage."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds an ended job is kept (failed and cancelled ones for debugging), unless its pipeline says otherwise."""

    completed: int = 600
    failed: int = 3600

    def of(self, pipeline: Pipeline, status: JobStatus) -> int:
        if status is JobStatus.COMPLETED:
            return self.completed if pipeline.retention_seconds is None else pipeline.retention_seconds
        return self.failed if pipeline.failed_retention_seconds is None else pipeline.failed_retention_seconds


def terminal_events(job: Job) -> tuple[StoredEvent, ...]:
    """What the log of an ended job has to end with; a function of the job alone, so anyone can supply it."""
    match job.status:
        case JobStatus.COMPLETED:
            return (Progress(progress=100), Complete(usage=job.usage))
        case JobStatus.CANCELLED:
            return (Cancelled(stage=job.stage),)
        case JobStatus.FAILED if job.failure is not None:
            return (
                Failed(
                    code=job.failure.code,
                    message=job.failure.message,
                    stage=job.failure.stage,
                    attempt=job.failure.attempt,
                    retry_count=job.retry_count,
                    retryable=job.failure.retryable,
                    request_id=job.request_id,
                    trace_id=job.trace_id,
                ),
            )
        case _:
            raise ValueError(f"a job that is {job.status} has no terminal event")


def ensure_terminal_event(log: EventLog, job: Job, *, clock: Clock) -> None:
    """Append the ended job's terminal event unless it is there, or the job runs anew meanwhile.

    Whoever moves a job to its end calls this, and so does whoever finds an ended job without its terminal event because
    the mover died in between: a watcher always learns how a job ended.
    """
    fence = Fence.of_attempt(generation=job.generation, stage=ENDING_STAGE_INDEX, retry=0)
    events = terminal_events(job)
    latest = latest_checkpoint(job)
    try:
        if job.status is JobStatus.COMPLETED and latest is not None:
            # Nothing follows the last checkpoint but this: no need to ask where the log ends.
            _, ref = latest
            reached = LogTail(ref.seq, ref.log_bytes, Fence.parse(ref.fence))
            if claim(log, job.id, fence, events, at=clock, expected=reached) is not None:
                return
        claim(log, job.id, fence, events, at=clock)
    except AttemptStopped:
        return


class JobEnder:
    """Moves live jobs to their ends."""

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
    ) -> Job:
        """End this generation of the job and tell its watchers. An end that stands already is only told again.

        Raises StaleWrite when the job has ended otherwise, runs anew, or is gone.
        """
        now = self._clock()
        kept = timedelta(seconds=self._retention.of(self._pipelines[job.pipeline], to))
        changes = {
            **(details or {}),
            "status": to,
            "ended_at": now,
            "updated_at": now,
            "expires_at": int((now + kept).timestamp()),
        }
        try:
            guard = JobGuard(status_in=status_in, generation=job.generation)
            ended = update_together(self._side_writes, self._jobs, job, changes, when=guard)
            metrics.job_ended(to.value, (now - ended.created_at).total_seconds(), pipeline=ended.pipeline)
        except StaleWrite as stale:
            if stale.current is None or (stale.current.status, stale.current.generation) != (to, job.generation):
                raise
            ended = stale.current
        ensure_terminal_event(self._log, ended, clock=self._clock)
        self._keep_what_came_meanwhile(ended)
        return ended

    def _keep_what_came_meanwhile(self, ended: Job) -> None:
        """A stage can keep items until the log has its end; those that came after the look at them are missing yet."""
        if ended.status is JobStatus.COMPLETED or self._side_writes.on_transition(ended) is None:
            return
        guard = JobGuard(status_in=frozenset({ended.status}), generation=ended.generation)
        with contextlib.suppress(StaleWrite):  # it runs anew, and the items will be in what it comes to
            update_together(self._side_writes, self._jobs, ended, {"updated_at": self._clock()}, when=guard)
