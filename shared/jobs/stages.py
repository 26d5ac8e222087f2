"""Running a stage: claim, work, checkpoint; and what becomes of whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import Field

from shared.clock import Clock
from shared.errors import (
    AttemptStopped,
    AttemptSuperseded,
    ErrorCode,
    InternalFault,
    JobEnded,
    MillraceError,
    PermanentFault,
)
from shared.jobs.checkpoints import CheckpointStore, StageOutput
from shared.jobs.event_log import EventLog, LogBounds, LogTail
from shared.jobs.events import Reset, StageStarted
from shared.jobs.fence import Fence
from shared.jobs.job import LIVE, CheckpointRef, Fault, Job, JobStatus
from shared.jobs.pipelines import JobInput, Pipeline
from shared.jobs.reader import LogReader
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.jobs.transcript import Transcript
from shared.jobs.usage import TokenUsage
from shared.jobs.writer import MAX_DELTA_CHARS, LogWriter, claim, claim_after
from shared.schema import Schema
from shared.telemetry import log, metrics


class StageInvocation(Schema):
    """What the state machine hands to a stage function."""

    job_id: str
    generation: int = Field(ge=1)
    retry: int = Field(ge=0)


class StageDone(Schema):
    """What a stage function answers; the state machine does not look inside."""

    job_id: str
    stage: str
    status: str = "done"


@dataclass(slots=True)
class StageRun:
    """What a stage works with: the job and its checked input, what earlier stages left, and the stream to write to.

    `resume_from`: the stream's text ends in a model response that is still to be had and goes on at this cursor. A
    stage sets `release` while such a response runs for it: called when the job has ended and nobody will resume it.
    """

    job: Job
    input: JobInput
    previous: StageOutput | None
    stream: LogWriter
    resume_from: str | None = None
    release: Callable[[], Awaitable[None]] | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)

    def spent(self, usage: TokenUsage) -> None:
        """Count model tokens; they are on the job once the stage is done."""
        self.usage = self.usage + usage


class Stage(Protocol):
    """A stage of a pipeline. `name` is its function's name; `run` answers what the next stage needs."""

    name: str

    async def run(self, run: StageRun) -> dict[str, Any]:
        """Raises the faults of `shared/errors.py`: a TransientFault is tried again, a PermanentFault fails the job."""


class StageRunner:
    """Runs stages so that each finishes once, however many attempts Step Functions makes."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        checkpoints: CheckpointStore,
        pipelines: Mapping[str, Pipeline],
        clock: Clock,
        bounds: LogBounds,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._pipeline_of = {stage: each for each in pipelines.values() for stage in each.stages}
        self._clock = clock
        self._bounds = bounds

    async def run(self, stage: Stage, invocation: StageInvocation) -> StageDone:
        """Run one attempt of the stage.

        Raises AttemptStopped when another attempt or the job's end has taken the right to write, and the stage's own
        fault, noted on the job, when the attempt fails. Anything unforeseen becomes an InternalFault.
        """
        job, fence = await self._claim_job(stage.name, invocation)
        done = StageDone(job_id=job.id, stage=stage.name)
        if stage.name in job.checkpoints:
            log.info("stage was finished by an earlier attempt", job_id=job.id, stage=stage.name)
            return done
        try:
            await self._attempt(stage, job, fence, invocation)
        except AttemptStopped as stopped:
            log.info("attempt stopped", job_id=job.id, stage=stage.name, reason=type(stopped).__name__)
            raise
        except MillraceError as fault:
            await self._note_fault(job, fence, fault)
            raise
        except Exception as error:
            log.defect("stage broke", error, job_id=job.id, stage=stage.name)
            internal = InternalFault(f"the stage {stage.name} met an unforeseen {type(error).__name__}")
            await self._note_fault(job, fence, internal)
            raise internal from error
        return done

    async def _claim_job(self, stage: str, invocation: StageInvocation) -> tuple[Job, Fence]:
        place = self._pipeline_of[stage].place_of(stage)
        fence = Fence.of_attempt(generation=invocation.generation, stage=place, retry=invocation.retry)
        now = self._clock()
        changes: dict[str, Any] = {
            "status": JobStatus.IN_PROGRESS,
            "stage": stage,
            "fence": str(fence),
            "attempt": invocation.retry + 1,
            "updated_at": now,
        }
        if invocation.retry:
            changes["retry_count"] = await self._retries_so_far(invocation.job_id) + 1
        elif place == 0 and invocation.generation == 1:
            changes["started_at"] = now
        guard = JobGuard(status_in=LIVE, generation=invocation.generation, fence_up_to=str(fence))
        try:
            return await asyncio.to_thread(self._jobs.update, invocation.job_id, changes, when=guard), fence
        except StaleWrite as stale:
            raise _stopped(stale.current) from stale

    async def _retries_so_far(self, job_id: str) -> int:
        job = await asyncio.to_thread(self._jobs.get, job_id)
        if job is None:
            raise _stopped(None)
        return job.retry_count

    async def _attempt(self, stage: Stage, job: Job, fence: Fence, invocation: StageInvocation) -> None:
        pipeline = self._pipeline_of[stage.name]
        previous, reached = await self._left_by_earlier_stages(pipeline, stage.name, job)
        started = StageStarted(
            stage=stage.name,
            index=pipeline.place_of(stage.name) + 1,
            of=len(pipeline.stages),
            attempt=invocation.retry + 1,
        )
        text = previous.text if previous else ""
        resume_from = None
        if invocation.retry:
            text, resume_from = await asyncio.to_thread(self._broken_off, job, fence) or (text, None)
        tail: LogTail | None = None
        unwritten = ""
        if job.generation > 1 and not invocation.retry:
            reached = await self._after_resumption(job) or reached
        if not invocation.retry:
            tail = await asyncio.to_thread(claim_after, self._log, job.id, fence, (started,), reached, at=self._clock)
        if tail is None:
            # Another attempt has written beyond what earlier stages left; what it wrote does not stand.
            text, unwritten = text[:MAX_DELTA_CHARS], text[MAX_DELTA_CHARS:]
            events = (self._reset(job, text), started)
            cursor = None if unwritten else resume_from
            tail = await asyncio.to_thread(claim, self._log, job.id, fence, events, at=self._clock, cursor=cursor)
        stream = LogWriter(
            self._log,
            job.id,
            fence,
            tail=tail,
            text=text,
            progress=job.progress,
            clock=self._clock,
            bounds=self._bounds,
            still_ours=lambda: self._refuse_if_stopped(job.id, fence),
        )
        if unwritten:
            stream.write(unwritten, cursor=resume_from)
        job_input = pipeline.input_model.model_validate(job.input)
        run = StageRun(job, job_input, previous, stream, resume_from=resume_from)
        try:
            output = await stream.run(stage.run(run))
        except (JobEnded, PermanentFault):
            await _release(job, run)
            raise
        await self._finish(stage.name, job, fence, run, StageOutput(output=output, text=stream.text))

    def _broken_off(self, job: Job, fence: Fence) -> tuple[str, str] | None:
        """The text and the cursor that an earlier attempt of this stage has left, if its response can be resumed."""
        tail = self._log.tail(job.id)
        if tail.cursor is None or tail.fence is None:
            return None
        if (tail.fence.generation, tail.fence.stage) != (fence.generation, fence.stage):
            return None
        transcript = Transcript()
        for frame in LogReader(self._log, job.id).poll():
            transcript.apply(frame.id, frame.event)
        # A read that lags lacks text that the cursor is behind of: better to begin anew.
        return (transcript.text, tail.cursor) if transcript.seq == tail.seq else None

    async def _after_resumption(self, job: Job) -> LogTail | None:
        """The end of the log, if it is the resumption's `reset`: what that says need not be said again."""
        tail = await asyncio.to_thread(self._log.tail, job.id)
        resumed = tail.fence is not None and tail.fence.is_resumption and tail.fence.generation == job.generation
        return tail if resumed else None

    async def _left_by_earlier_stages(
        self, pipeline: Pipeline, stage: str, job: Job
    ) -> tuple[StageOutput | None, LogTail]:
        """The output of the stage before, and where it left the log."""
        place = pipeline.place_of(stage)
        if place == 0:
            return None, LogTail()
        before = pipeline.stages[place - 1]
        ref = job.checkpoints[before]
        output = await asyncio.to_thread(self._checkpoints.get, job.id, before, ref)
        return output, LogTail(ref.seq, ref.log_bytes, Fence.parse(ref.fence))

    async def _finish(self, stage: str, job: Job, fence: Fence, run: StageRun, output: StageOutput) -> None:
        await asyncio.to_thread(self._checkpoints.put, job, stage, str(fence), output)
        tail = run.stream.tail
        ref = CheckpointRef(seq=tail.seq, log_bytes=tail.log_bytes, fence=str(fence))
        changes = {
            "checkpoints": {**job.checkpoints, stage: ref},
            "usage": job.usage + run.usage,
            "progress": run.stream.progress,
            "updated_at": self._clock(),
        }
        try:
            # One conditional write makes this attempt's output the stage's: a superseded attempt comes too late here.
            await asyncio.to_thread(self._jobs.update, job.id, changes, when=_held_by(fence))
        except StaleWrite as stale:
            raise _stopped(stale.current) from stale
        metrics.stage_finished(stage, run.usage)

    def _reset(self, job: Job, text: str) -> Reset:
        fault = job.last_fault
        if fault is None or fault.stage != job.stage or fault.attempt != job.attempt - 1:
            fault = Fault(code=ErrorCode.WORKER_LOST, message="the worker was lost", retryable=True)
        return Reset(
            text=text,
            progress=job.progress,
            reason=fault.code,
            message=fault.message,
            attempt=job.attempt,
            retry_count=job.retry_count,
        )

    def _refuse_if_stopped(self, job_id: str, fence: Fence) -> None:
        job = self._jobs.get(job_id)
        if job is None or not _held_by(fence).holds(job):
            raise _stopped(job)

    async def _note_fault(self, job: Job, fence: Fence, fault: MillraceError) -> None:
        note = Fault(
            code=fault.code,
            message=fault.message,
            stage=job.stage,
            attempt=job.attempt,
            retryable=fault.retryable,
            trace_id=job.trace_id,
        )
        log.warning("attempt failed", job_id=job.id, stage=job.stage, attempt=job.attempt, code=fault.code)
        metrics.attempt_failed(str(job.stage), fault.code)
        try:
            await asyncio.to_thread(
                self._jobs.update,
                job.id,
                {"last_fault": note, "updated_at": self._clock()},
                when=_held_by(fence),
            )
        except (StaleWrite, MillraceError):
            log.warning("the fault could not be noted on the job", job_id=job.id, code=fault.code)


async def _release(job: Job, run: StageRun) -> None:
    if run.release is None:
        return
    try:
        await run.release()
    except MillraceError as fault:
        log.warning("the model's response could not be ended", job_id=job.id, code=fault.code)


def _held_by(fence: Fence) -> JobGuard:
    return JobGuard(status_in=frozenset({JobStatus.IN_PROGRESS}), fence_is=str(fence))


def _stopped(current: Job | None) -> AttemptStopped:
    if current is None or current.status.ended:
        return JobEnded("the job has ended")
    return AttemptSuperseded("a newer attempt has taken over")
