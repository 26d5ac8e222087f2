"""Run one attempt of a stage: claim the job and the log, do the work, store the checkpoint or the fault."""

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
    """Run stages so that each finishes once, although Step Functions may start several attempts of it."""

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
        """Run one attempt of the stage. Do nothing if an earlier attempt has finished the stage.

        A fault that ends the attempt is stored on the job as `last_fault`.

        Raises:
            AttemptStopped: the job has ended, or a newer attempt has claimed it.
            TransientFault: Step Functions retries the stage.
            PermanentFault: the job fails. An exception that is not a MillraceError is raised as InternalFault.
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
            log.info("stage already finished by an earlier attempt", stage=stage.name)
            return done
        try:
            await self._attempt(pipeline, stage, job, fence, invocation)
        except AttemptStopped as stopped:
            log.info("attempt stopped", stage=stage.name, reason=type(stopped).__name__)
            raise
        except MillraceError as fault:
            await self._store_fault(job, fence, fault)
            raise
        except Exception as error:
            log.defect("stage broke", error, stage=stage.name)
            internal = InternalFault(f"an internal error occurred in stage {stage.name} ({type(error).__name__})")
            await self._store_fault(job, fence, internal)
            raise internal from error
        return done

    async def _claim_job(self, pipeline: Pipeline, stage: str, invocation: StageInvocation) -> tuple[Job, Fence]:
        index = pipeline.index_of(stage)
        fence = Fence.of_attempt(generation=invocation.generation, stage=index, retry=invocation.retry)
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
        elif index == 0 and invocation.generation == 1:
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
        previous, expected_end = await self._previous_stage(pipeline, stage.name, job)
        started = StageStarted(
            stage=stage.name,
            index=pipeline.index_of(stage.name) + 1,
            of=len(pipeline.stages),
            attempt=invocation.retry + 1,
        )
        default = StartingPoint(previous.text if previous else "")
        tail, start = await asyncio.to_thread(self._claim_log, job, fence, started, expected_end, default)
        writer = LogWriter(
            self._log,
            job.id,
            fence,
            tail=tail,
            text=start.text,
            progress=job.progress,
            clock=self._clock,
            bounds=self._bounds,
            check_job=lambda: self._raise_if_stopped(job.id, fence),
        )
        if start.unwritten:
            writer.write(start.unwritten, cursor=start.cursor)
        job_input = pipeline.input_model.model_validate(job.input)
        context = StageContext(
            job,
            job_input,
            previous,
            writer,
            response_cursor=start.cursor,
            items=start.items,
            agent=agent,
            events=pipeline.events,
        )
        try:
            output = await writer.write_while(stage.run(context))
        except (JobEnded, PermanentFault):
            await _cancel_response(context)
            raise
        await self._finish(stage.name, job, fence, context, StageOutput(output=output, text=writer.text))

    def _claim_log(
        self, job: Job, fence: Fence, started: StageStarted, expected_end: LogTail, default: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """Claim the log and return its end and the starting point, which is `default` if the log has no other.

        A first attempt expects the log to end where the stage before finished. A retry has no expectation.
        """
        if fence.retry:
            return self._claim_any_end(job, fence, started, default)
        start = default
        if job.generation > 1:
            expected_end, start = self._after_resumption(job, expected_end, default)
        tail = claim(self._log, job.id, fence, (started,), at=self._clock, expected=expected_end)
        return (tail, start) if tail is not None else self._claim_any_end(job, fence, started, default)

    def _after_resumption(
        self, job: Job, expected_end: LogTail, default: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """If the log ends with the resumption's `reset`, return that end: the attempt needs no second `reset`."""
        tail = self._log.tail(job.id)
        if tail.fence is None or not tail.fence.is_resumption or tail.fence.generation != job.generation:
            return expected_end, default
        return tail, self._start_after_earlier_attempts(job, tail.fence, tail) or default

    def _claim_any_end(
        self, job: Job, fence: Fence, started: StageStarted, default: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """Claim the log, wherever it ends, with a `reset` to what is kept of earlier attempts."""
        start = default

        def opening(tail: LogTail) -> Opening:
            nonlocal start
            kept = self._start_after_earlier_attempts(job, fence, tail) or default
            start = replace(kept, text=kept.text[:MAX_DELTA_CHARS], unwritten=kept.text[MAX_DELTA_CHARS:])
            return Opening((self._reset(job, start.text), started), None if start.unwritten else start.cursor)

        tail = claim(self._log, job.id, fence, opening, at=self._clock)
        return tail, start

    def _start_after_earlier_attempts(self, job: Job, fence: Fence, tail: LogTail) -> StartingPoint | None:
        """Return what is kept of earlier attempts at this stage, or None if nothing is.

        That is all their text if the attempt can re-attach to the model response, else the text up to the last item.
        """
        if tail.fence is None:
            return None
        transcript = read_transcript(self._log, job.id, consistent=True)
        stage = str(job.stage)
        items = {key: item.data for key, item in transcript.items_of(stage).items()}
        if tail.cursor is not None and (tail.fence.generation, tail.fence.stage) == (fence.generation, fence.stage):
            return StartingPoint(transcript.text, items, tail.cursor)
        text = transcript.text_up_to_last_item(stage)
        return None if text is None else StartingPoint(text, items)

    async def _agent_of(self, job: Job) -> Agent | None:
        if job.agent is None:
            return None
        agent = await asyncio.to_thread(self._agents.version, job.agent.agent_id, job.agent.version)
        if agent is None:
            # A deleted agent's versions are stored for longer than any job that uses them.
            raise InternalFault("the job's agent no longer exists")
        return agent

    async def _previous_stage(self, pipeline: Pipeline, stage: str, job: Job) -> tuple[StageOutput | None, LogTail]:
        """Return the output of the stage before, and the end of the log when it finished."""
        index = pipeline.index_of(stage)
        if index == 0:
            return None, LogTail()
        before = pipeline.stages[index - 1]
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
            # This conditional write makes the attempt's output valid. It fails if the attempt was superseded.
            await asyncio.to_thread(self._jobs.update, job.id, changes, when=_guard_of(fence))
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
            fault = Fault(
                code=ErrorCode.WORKER_LOST,
                message="the stage's function was terminated before the stage finished",
                retryable=True,
            )
        return Reset(
            text=text,
            progress=job.progress,
            reason=fault.code,
            message=fault.message,
            attempt=job.attempt,
            retry_count=job.retry_count,
        )

    def _raise_if_stopped(self, job_id: str, fence: Fence) -> None:
        job = self._jobs.get(job_id)
        if job is None or not _guard_of(fence).holds(job):
            raise _stopped(job)

    async def _store_fault(self, job: Job, fence: Fence, fault: MillraceError) -> None:
        stored = Fault(
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
                {"last_fault": stored, "updated_at": self._clock()},
                when=_guard_of(fence),
            )
        except (StaleWrite, MillraceError):
            log.warning("fault not stored on the job", code=fault.code)


async def _cancel_response(context: StageContext) -> None:
    if context.cancel_response is None:
        return
    try:
        await context.cancel_response()
    except MillraceError as fault:
        log.warning("model response not cancelled", code=fault.code)


def _guard_of(fence: Fence) -> JobGuard:
    return JobGuard(status_in=frozenset({JobStatus.IN_PROGRESS}), fence_is=str(fence))


def _stopped(current: Job | None) -> AttemptStopped:
    if current is None or current.status.ended:
        return JobEnded("the job has ended")
    return AttemptSuperseded("a newer attempt has claimed the job")
