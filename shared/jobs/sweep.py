"""The sweep: fail live jobs that nothing else will end, so that no watcher waits forever."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from shared.clock import Clock
from shared.errors import StorageThrottled
from shared.jobs.executions import Executions, ExecutionState
from shared.jobs.job import Job, JobStatus, ids_of
from shared.jobs.lost_jobs import LOSS_BY_STATE, NO_PROGRESS, LossReason, LostJobs
from shared.jobs.pipeline import Pipeline
from shared.jobs.store import JobStore
from shared.limits.records import RecordStore, update_record
from shared.log.event_log import EventLog
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.schema import Schema

START_SECONDS = 60
"""Longest time that a pending job's execution takes to start, so that a younger one is not checked."""

SWEEP_SECONDS = 40.0
"""Time limit of one sweep, well below the timeout of its function. The next sweep continues where this one stopped."""

SLICE = 100
"""How many jobs the sweep reads at a time."""

THROTTLED_SECONDS = 1.0
"""Pause after Step Functions has refused a question, because it allows only some questions a second."""

OWNER = "#sweep"
"""Under this name the sweep's cursor is stored; it is no user's id."""


class SweepReport(Schema):
    """The result of one sweep.

    `looked_at`: jobs that it read. `checked`: jobs past their stage's time limit, whose execution it asked about.
    `ended`: the ids of the jobs that it ended. `finished`: false if jobs are left, with which the next sweep begins.
    """

    looked_at: int
    checked: int
    ended: tuple[str, ...]
    finished: bool


class SweepCursor(Schema):
    """Where the next sweep begins; None is the beginning."""

    cursor: str | None = None


CURSORS = TypeAdapter(SweepCursor)
"""Reads and writes SweepCursor as JSON."""


@dataclass(slots=True)
class _Sweep:
    """What one sweep has done so far. `throttled`: Step Functions answers no more questions before `until`."""

    until: datetime
    throttled: bool = False
    looked_at: int = 0
    checked: int = 0
    ended: list[str] = field(default_factory=list)
    oldest_pending: float = 0.0
    failure: Exception | None = None


class StuckJobSweep:
    """End live jobs past their stage's time limit whose execution has ended, never started or no longer moves.

    Events of Step Functions end most lost jobs within seconds (`LostJobs`). The sweep finds the others.
    """

    def __init__(
        self,
        *,
        jobs: JobStore,
        executions: Executions,
        event_log: EventLog,
        lost_jobs: LostJobs,
        records: RecordStore,
        pipelines: Mapping[str, Pipeline],
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._jobs = jobs
        self._executions = executions
        self._log = event_log
        self._lost_jobs = lost_jobs
        self._records = records
        self._pipelines = pipelines
        self._clock = clock
        self._sleep = sleep

    def run(self) -> SweepReport:
        """Check the live jobs slice by slice, for at most SWEEP_SECONDS. Safe at any time, also for two sweeps at once.

        If a job cannot be checked or ended, check the others first and then raise its error.
        """
        from_cursor = CURSORS.validate_json(self._records.load(OWNER, "sweep").text).cursor
        sweep = _Sweep(until=_after(self._clock(), SWEEP_SECONDS))
        cursor = self._sweep_slices(sweep, from_cursor)
        if cursor != from_cursor:
            self._store_cursor(cursor)
        log.info("swept", looked_at=sweep.looked_at, checked=sweep.checked, ended=len(sweep.ended))
        metrics.swept(ended=len(sweep.ended), oldest_pending=sweep.oldest_pending)
        if sweep.failure is not None:
            raise sweep.failure
        return SweepReport(
            looked_at=sweep.looked_at, checked=sweep.checked, ended=tuple(sweep.ended), finished=cursor is None
        )

    def _sweep_slices(self, sweep: _Sweep, cursor: str | None) -> str | None:
        """Check slice after slice from the cursor on. Return where to continue, None after the last job."""
        while True:
            page = self._jobs.live(cursor=cursor, limit=SLICE)
            for job in page.jobs:
                self._look_at(sweep, job)
                if sweep.throttled:
                    return cursor
                cursor = job.id
                if self._clock() >= sweep.until:
                    return cursor
            cursor = page.cursor
            if cursor is None:
                return None

    def _look_at(self, sweep: _Sweep, job: Job) -> None:
        sweep.looked_at += 1
        try:
            if self._past_its_limit(sweep, job):
                sweep.checked += 1
                self._check(sweep, job)
        except Exception as error:  # noqa: BLE001 - raised at the end of the sweep
            # One job that cannot be checked or ended must not stop the sweep of the others.
            log.defect("stuck job not ended", error, **ids_of(job))
            sweep.failure = error

    def _past_its_limit(self, sweep: _Sweep, job: Job) -> bool:
        """Return whether the job has not changed for so long that its execution has to be checked."""
        unchanged = (self._clock() - job.updated_at).total_seconds()
        if job.status is not JobStatus.PENDING:
            return unchanged > self._stage_seconds(job)
        # Not since its creation: a resumed job was created long before it became pending again.
        sweep.oldest_pending = max(sweep.oldest_pending, unchanged)
        return unchanged > START_SECONDS

    def _check(self, sweep: _Sweep, job: Job) -> None:
        reason = self._loss_of(sweep, job)
        if reason is not None and self._lost_jobs.fail(job, reason):
            sweep.ended.append(job.id)
            if reason is NO_PROGRESS:
                self._executions.stop(job.model_copy(update={"status": JobStatus.FAILED}))

    def _loss_of(self, sweep: _Sweep, job: Job) -> LossReason | None:
        """Return why the job is lost; None if it is not, or if Step Functions does not answer in time."""
        while True:
            try:
                state = self._executions.state_of(job)
            except StorageThrottled:
                if _after(self._clock(), THROTTLED_SECONDS) >= sweep.until:
                    sweep.throttled = True
                    return None
                self._sleep(THROTTLED_SECONDS)
                continue
            if state is ExecutionState.RUNNING:
                return NO_PROGRESS if self._has_stopped_moving(job) else None
            return LOSS_BY_STATE[state]

    def _has_stopped_moving(self, job: Job) -> bool:
        """Return whether the job and its log have not changed for twice the time limit of the job's stage."""
        tail = self._log.tail(job.id)
        entries = self._log.read(job.id, after=tail.seq - 1, consistent=True) if tail.seq else ()
        changed_at = max([job.updated_at, *(entry.at for entry in entries)])
        return self._clock() > _after(changed_at, 2 * self._stage_seconds(job))

    def _stage_seconds(self, job: Job) -> int:
        return self._pipelines[job.pipeline].stage_limit(job.stage)

    def _store_cursor(self, cursor: str | None) -> None:
        def decide(stored: SweepCursor, _: float) -> SweepCursor:
            return stored if stored.cursor == cursor else SweepCursor(cursor=cursor)

        update_record(self._records, OWNER, "sweep", CURSORS, decide, self._clock, kept=86_400)


def _after(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)
