"""Running a stage: claim, work, checkpoint; and what becomes of whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from shared.agents.agent import Agent
from shared.agents.store import AgentVersions
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
from shared.jobs.invocation import StageDone, StageInvocation
from shared.jobs.job import LIVE, CheckpointRef, Fault, Job, JobStatus, ids_of
from shared.jobs.pipeline import Pipeline
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.log.claim import Opening, claim
from shared.log.event_log import EventLog, LogBounds, LogTail
from shared.log.events import Reset, StageStarted
from shared.log.fence import Fence
from shared.log.reader import read_transcript
from shared.log.writer import MAX_DELTA_CHARS, LogWriter
from shared.observability import tracing
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.stages.stage import Stage, StageContext
from shared.stages.starting_point import StartingPoint


class StageRunner:
    """Runs stages so that each finishes once, however many attempts Step Functions makes."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        checkpoints: CheckpointStore,
        agents: AgentVersions,
        clock: Clock,
        bounds: LogBounds,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._agents = agents
        self._clock = clock
        self._bounds = bounds

    async def run(self, pipeline: Pipeline, stage: Stage, invocation: StageInvocation) -> StageDone:
        """Run one attempt of the stage.

        Raises AttemptStopped when another attempt or the job's end has taken the right to write, and the stage's own
        fault, noted on the job, when the attempt fails. Anything unforeseen becomes an InternalFault.
        """
        job, fence = await self._claim_job(pipeline, stage.name, invocation)
        tracing.annotate(**ids_of(job), stage=stage.name, attempt=job.attempt)
        with log.about(**ids_of(job)):
            return await self._run_claimed(pipeline, stage, job, fence, invocation)

    async def _run_claimed(
        self, pipeline: Pipeline, stage: Stage, job: Job, fence: Fence, invocation: StageInvocation
    ) -> StageDone:
        done = StageDone(job_id=job.id, stage=stage.name)
        if stage.name in job.checkpoints:
            log.info("stage was finished by an earlier attempt", stage=stage.name)
            return done
        try:
            await self._attempt(pipeline, stage, job, fence, invocation)
        except AttemptStopped as stopped:
            log.info("attempt stopped", stage=stage.name, reason=type(stopped).__name__)
            raise
        except MillraceError as fault:
            await self._note_fault(job, fence, fault)
            raise
        except Exception as error:
            log.defect("stage broke", error, stage=stage.name)
            internal = InternalFault(f"the stage {stage.name} met an unforeseen {type(error).__name__}")
            await self._note_fault(job, fence, internal)
            raise internal from error
        return done

    async def _claim_job(self, pipeline: Pipeline, stage: str, invocation: StageInvocation) -> tuple[Job, Fence]:
        place = pipeline.index_of(stage)
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

    async def _attempt(
        self, pipeline: Pipeline, stage: Stage, job: Job, fence: Fence, invocation: StageInvocation
    ) -> None:
        agent = await self._agent_of(job)
        previous, reached = await self._left_by_earlier_stages(pipeline, stage.name, job)
        started = StageStarted(
            stage=stage.name,
            index=pipeline.index_of(stage.name) + 1,
            of=len(pipeline.stages),
            attempt=invocation.retry + 1,
        )
        earlier = StartingPoint(previous.text if previous else "")
        tail, left = await asyncio.to_thread(self._begin, job, fence, started, reached, earlier)
        stream = LogWriter(
            self._log,
            job.id,
            fence,
            tail=tail,
            text=left.text,
            progress=job.progress,
            clock=self._clock,
            bounds=self._bounds,
            check_job=lambda: self._refuse_if_stopped(job.id, fence),
        )
        if left.unwritten:
            stream.write(left.unwritten, cursor=left.cursor)
        job_input = pipeline.input_model.model_validate(job.input)
        context = StageContext(
            job, job_input, previous, stream, response_cursor=left.cursor, items=left.items, agent=agent
        )
        try:
            output = await stream.write_while(stage.run(context))
        except (JobEnded, PermanentFault):
            await _release(context)
            raise
        await self._finish(stage.name, job, fence, context, StageOutput(output=output, text=stream.text))

    def _begin(
        self, job: Job, fence: Fence, started: StageStarted, reached: LogTail, earlier: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """Claim the log. A first attempt expects it to end where the stage before left it, a retry expects nothing."""
        if fence.retry:
            return self._take_over(job, fence, started, earlier)
        left = earlier
        if job.generation > 1:
            reached, left = self._after_resumption(job, reached, earlier)
        tail = claim(self._log, job.id, fence, (started,), at=self._clock, expected=reached)
        return (tail, left) if tail is not None else self._take_over(job, fence, started, earlier)

    def _after_resumption(self, job: Job, reached: LogTail, earlier: StartingPoint) -> tuple[LogTail, StartingPoint]:
        """From the end of the log, if it is the resumption's `reset`: what that says need not be said again."""
        tail = self._log.tail(job.id)
        if tail.fence is None or not tail.fence.is_resumption or tail.fence.generation != job.generation:
            return reached, earlier
        return tail, self._left_by_earlier_attempts(job, tail.fence, tail) or earlier

    def _take_over(
        self, job: Job, fence: Fence, started: StageStarted, earlier: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """Claim the log wherever it ends, and go on from what of earlier attempts stands there."""
        left = earlier

        def opening(tail: LogTail) -> Opening:
            nonlocal left
            found = self._left_by_earlier_attempts(job, fence, tail) or earlier
            left = replace(found, text=found.text[:MAX_DELTA_CHARS], unwritten=found.text[MAX_DELTA_CHARS:])
            return Opening((self._reset(job, left.text), started), None if left.unwritten else left.cursor)

        tail = claim(self._log, job.id, fence, opening, at=self._clock)
        return tail, left

    def _left_by_earlier_attempts(self, job: Job, fence: Fence, tail: LogTail) -> StartingPoint | None:
        """All their text where the model's response can be gone on with, otherwise the text up to their last item."""
        if tail.fence is None:
            return None
        transcript = read_transcript(self._log, job.id, consistent=True)
        stage = str(job.stage)
        items = {key: item.data for key, item in transcript.items_of(stage).items()}
        if tail.cursor is not None and (tail.fence.generation, tail.fence.stage) == (fence.generation, fence.stage):
            return StartingPoint(transcript.text, items, tail.cursor)
        standing = transcript.text_up_to_last_item(stage)
        return None if standing is None else StartingPoint(standing, items)

    async def _agent_of(self, job: Job) -> Agent | None:
        if job.agent is None:
            return None
        agent = await asyncio.to_thread(self._agents.version, job.agent.agent_id, job.agent.version)
        if agent is None:
            # A deleted agent's versions outlive every job that was made with them.
            raise InternalFault("the job's agent is gone")
        return agent

    async def _left_by_earlier_stages(
        self, pipeline: Pipeline, stage: str, job: Job
    ) -> tuple[StageOutput | None, LogTail]:
        """The output of the stage before, and where it left the log."""
        place = pipeline.index_of(stage)
        if place == 0:
            return None, LogTail()
        before = pipeline.stages[place - 1]
        ref = job.checkpoints[before]
        output = await asyncio.to_thread(self._checkpoints.get, job.id, before, ref)
        return output, LogTail(ref.seq, ref.log_bytes, Fence.parse(ref.fence))

    async def _finish(self, stage: str, job: Job, fence: Fence, context: StageContext, output: StageOutput) -> None:
        await asyncio.to_thread(self._checkpoints.put, job, stage, str(fence), output)
        tail = context.output.tail
        ref = CheckpointRef(seq=tail.seq, log_bytes=tail.log_bytes, fence=str(fence))
        changes = {
            "checkpoints": {**job.checkpoints, stage: ref},
            "usage": job.usage + context.usage,
            "progress": context.output.progress,
            "updated_at": self._clock(),
        }
        try:
            # One conditional write makes this attempt's output the stage's: a superseded attempt comes too late here.
            await asyncio.to_thread(self._jobs.update, job.id, changes, when=_held_by(fence))
        except StaleWrite as stale:
            raise _stopped(stale.current) from stale
        metrics.stage_finished(
            stage,
            input_tokens=context.usage.input_tokens,
            output_tokens=context.usage.output_tokens,
            cost_usd=context.usage.cost_usd,
        )

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
        log.warning("attempt failed", stage=job.stage, attempt=job.attempt, code=fault.code)
        metrics.attempt_failed(str(job.stage), fault.code)
        try:
            await asyncio.to_thread(
                self._jobs.update,
                job.id,
                {"last_fault": note, "updated_at": self._clock()},
                when=_held_by(fence),
            )
        except (StaleWrite, MillraceError):
            log.warning("the fault could not be noted on the job", code=fault.code)


async def _release(context: StageContext) -> None:
    if context.release is None:
        return
    try:
        await context.release()
    except MillraceError as fault:
        log.warning("the model's response could not be ended", code=fault.code)


def _held_by(fence: Fence) -> JobGuard:
    return JobGuard(status_in=frozenset({JobStatus.IN_PROGRESS}), fence_is=str(fence))


def _stopped(current: Job | None) -> AttemptStopped:
    if current is None or current.status.ended:
        return JobEnded("the job has ended")
    return AttemptSuperseded("a newer attempt has taken over")
