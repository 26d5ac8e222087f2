"""Run one attempt of a stage: claim the job and the log, do the work, store the checkpoint or the fault."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

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
    StageUnfinished,
)
from shared.jobs.accounts import attempt_is_open, uncounted_calls
from shared.jobs.checkpoints import CheckpointStore, StageOutput
from shared.jobs.fan_out import part_titles
from shared.jobs.invocation import FanOutDone, StageDone, StageInvocation
from shared.jobs.job import LIVE, CheckpointRef, Fault, Job, JobStatus, ids_of
from shared.jobs.pipeline import Pipeline
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.log.claim import Opening, claim
from shared.log.event_log import EventLog, LogBounds, LogTail
from shared.log.events import StageStarted, StoredReset
from shared.log.fence import Fence
from shared.log.reader import read_transcript
from shared.log.transcript import KeptText, Transcript
from shared.log.usage import TokenUsage
from shared.log.writer import LogWriter
from shared.observability import metering, tracing
from shared.observability.log import log
from shared.observability.metering import Count
from shared.observability.metrics import metrics
from shared.stages.attempt_guard import AttemptGuard, guard_of, stopped
from shared.stages.attempts import add_compute, agent_of, cancel_response, store_usage, stored_fault
from shared.stages.stage import Stage, StageContext
from shared.stages.starting_point import StartingPoint
from shared.stages.time_limit import wait_as_told, within_time_limit

TWIN_SECONDS = 1.0
"""How often an invocation checks whether another one of the same attempt has finished."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What the stages before have left for one: the job, the output and the end of the log after them.

    `end` is None after a fan-out. `parts` are the results of the fan-out's parts.
    """

    job: Job
    output: StageOutput | None
    end: LogTail | None
    parts: Mapping[str, dict[str, Any]] = field(default_factory=dict)


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

        If another invocation of this attempt supersedes this one, wait for its result: Step Functions may listen to
        this invocation only, and would end the execution.

        A fault that ends the attempt is stored on the job as `last_fault`.

        Raises:
            AttemptStopped: the job has ended, or a newer attempt has claimed it.
            TransientFault: Step Functions retries the stage.
            PermanentFault: the job fails. An exception that is not a MillraceError is raised as InternalFault.
        """
        index = pipeline.index_of(stage.name)
        fence = Fence.of_attempt(generation=invocation.generation, stage=index, retry=invocation.retry)
        try:
            return await self._run_attempt(pipeline, stage, invocation, fence)
        except AttemptSuperseded as superseded:
            waiting = self._result_of_twin(pipeline, stage.name, invocation.job_id, fence, superseded)
            return await within_time_limit(waiting, lambda: True)

    async def _result_of_twin(
        self, pipeline: Pipeline, stage: str, job_id: str, fence: Fence, superseded: AttemptSuperseded
    ) -> StageDone:
        """Wait until the other invocation of the attempt with `fence` has stored the checkpoint, and return its result.

        Raises AttemptStopped if there is no other invocation, and StageUnfinished if it has failed.
        """
        while True:
            job = await asyncio.to_thread(self._jobs.get, job_id)
            if job is None or job.status.ended:
                raise stopped(job)
            ref = job.checkpoints.get(stage)
            if ref is not None and Fence.parse(ref.fence).rank == fence.rank:
                log.info("stage finished by another invocation of the attempt", **ids_of(job), stage=stage)
                return await asyncio.to_thread(self._already_done, pipeline, stage, job)
            if job.fence in {"", str(fence)} or Fence.parse(job.fence).rank != fence.rank:
                raise superseded
            fault = job.last_fault
            if fault is not None and (fault.stage, fault.attempt) == (stage, fence.retry + 1):
                raise StageUnfinished("another invocation of this attempt has failed")
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(TWIN_SECONDS)

    async def _run_attempt(
        self, pipeline: Pipeline, stage: Stage, invocation: StageInvocation, fence: Fence
    ) -> StageDone:
        job = await self._claim_job(pipeline, stage.name, invocation, fence)
        tracing.annotate(**ids_of(job), stage=stage.name, attempt=job.attempt)
        with log.about(**ids_of(job)):
            return await self._run_claimed(pipeline, stage, job, fence, invocation)

    async def _run_claimed(
        self, pipeline: Pipeline, stage: Stage, job: Job, fence: Fence, invocation: StageInvocation
    ) -> StageDone:
        try:
            if _has_finished(pipeline, stage.name, job):
                log.info("stage already finished by an earlier attempt", stage=stage.name)
                return await asyncio.to_thread(self._already_done, pipeline, stage.name, job)
            output = await self._attempt(pipeline, stage, job, fence, invocation)
        except AttemptStopped as stopped:
            log.info("attempt stopped", stage=stage.name, reason=type(stopped).__name__)
            await add_compute(self._jobs, job.id)
            raise
        except MillraceError as fault:
            await self._store_fault(job, fence, fault)
            await wait_as_told(fault)
            raise
        except Exception as error:
            log.defect("stage broke", error, stage=stage.name)
            internal = InternalFault(f"an internal error occurred in stage {stage.name} ({type(error).__name__})")
            await self._store_fault(job, fence, internal)
            # Lambda gives the state machine this exception's frames only, and the owner looks for those of the defect.
            raise internal.with_traceback(error.__traceback__) from error
        return _done(pipeline, stage.name, job, output)

    def _already_done(self, pipeline: Pipeline, stage: str, job: Job) -> StageDone:
        """Return the result of a stage that an earlier attempt has finished; of its parts, those without a result."""
        fan_out = pipeline.fan_out_after(stage)
        if fan_out is None:
            return StageDone(job_id=job.id, stage=stage)
        if fan_out in job.checkpoints:
            return FanOutDone(job_id=job.id, stage=stage, parts=())
        output = self._checkpoints.get(job.id, stage, job.checkpoints[stage]).output
        finished = read_transcript(self._log, job.id, consistent=True).items_of(fan_out)
        return _done(pipeline, stage, job, output, without=finished.keys())

    async def _claim_job(self, pipeline: Pipeline, stage: str, invocation: StageInvocation, fence: Fence) -> Job:
        now = self._clock()
        changes: dict[str, Any] = {
            "status": JobStatus.IN_PROGRESS,
            "stage": stage,
            "fence": str(fence),
            "attempt": invocation.retry + 1,
            "updated_at": now,
        }
        guard = JobGuard(status_in=LIVE, generation=invocation.generation, fence_up_to=str(fence))
        if invocation.retry:
            return await asyncio.to_thread(self._claim_again, invocation, changes, guard)
        if pipeline.index_of(stage) == 0 and not await asyncio.to_thread(self._has_started, invocation):
            changes["started_at"] = now
        try:
            return await asyncio.to_thread(self._jobs.update, invocation.job_id, changes, when=guard)
        except StaleWrite as stale:
            raise stopped(stale.current) from stale

    def _has_started(self, invocation: StageInvocation) -> bool:
        """Return whether an attempt has claimed the job before this one, which is the first of its generation."""
        if invocation.generation == 1:
            return False
        job = self._jobs.get(invocation.job_id)
        return job is not None and job.started_at is not None

    def _claim_again(self, invocation: StageInvocation, changes: Mapping[str, Any], guard: JobGuard) -> Job:
        """Claim the job for a retry. Count the retry, and what an attempt before has not counted that was killed."""
        job = self._jobs.get(invocation.job_id)
        if job is not None:
            _count_lost(job, str(changes["stage"]), invocation)
        while True:
            if job is None or not guard.holds(job):
                raise stopped(job)
            counted = {**changes, "retry_count": job.retry_count + 1}
            if job.started_at is None:  # the attempt before died before its claim
                counted["started_at"] = changes["updated_at"]
            uncounted = self._uncounted(job, str(changes["stage"]), invocation)
            when = guard
            if uncounted != TokenUsage():
                counted["usage"] = job.usage + uncounted
                when = replace(guard, updated_at=job.updated_at)
            try:
                return self._jobs.update(job.id, counted, when=when)
            except StaleWrite as stale:
                if stale.current is not None and stale.current.fence == changes["fence"]:
                    return stale.current  # botocore repeated a write whose response was lost
                job = stale.current

    def _uncounted(self, job: Job, stage: str, invocation: StageInvocation) -> TokenUsage:
        """Return what the attempt before has used and has not counted, because its function was killed."""
        if (job.stage, job.attempt) != (stage, invocation.retry) or not attempt_is_open(job):
            return TokenUsage()
        return uncounted_calls(job, self._log.tail(job.id), read_on=True)

    async def _attempt(
        self, pipeline: Pipeline, stage: Stage, job: Job, fence: Fence, invocation: StageInvocation
    ) -> dict[str, Any]:
        agent = await agent_of(job, self._agents)
        before = await asyncio.to_thread(self._before, pipeline, stage.name, job, fence)
        job, previous = before.job, before.output
        started = StageStarted(
            stage=stage.name,
            index=pipeline.index_of(stage.name) + 1,
            of=len(pipeline.stages),
            attempt=invocation.retry + 1,
        )
        default = StartingPoint(previous.text if previous else "")
        tail, start = await asyncio.to_thread(self._claim_log, job, fence, started, before.end, default)
        guard = AttemptGuard(self._jobs, job.id, fence)
        writer = LogWriter(
            self._log,
            job.id,
            fence,
            tail=tail,
            text=start.text,
            progress=job.progress,
            expires_at=job.expires_at,
            clock=self._clock,
            bounds=self._bounds,
            check_job=guard.check,
        )
        job_input = pipeline.input_model.model_validate(job.input)
        context = StageContext(
            job,
            job_input,
            previous,
            output=writer,
            guard=guard,
            response_cursor=start.cursor,
            items=start.items,
            parts=before.parts,
            agent=agent,
            events=pipeline.events,
        )
        items_before = len(start.items)

        def has_progress() -> bool:
            return context.cancel_response is not None or len(context.items) > items_before

        try:
            output = await writer.write_while(within_time_limit(stage.run(context), has_progress))
        except Exception as error:
            if isinstance(error, JobEnded | PermanentFault):
                await cancel_response(context)
                context.count_left_running()
            await store_usage(self._jobs, job.id, context.usage, self._clock)
            raise
        if pipeline.fan_out_after(stage.name):
            part_titles(stage.name, output)  # before the output is valid, so that a broken one fails this stage
            metering.count(Count.TRANSITIONS)  # the state Map that follows
        await self._finish(stage.name, job, fence, context, StageOutput(output=output, text=writer.text))
        return output

    def _claim_log(
        self, job: Job, fence: Fence, started: StageStarted, expected_end: LogTail | None, default: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """Claim the log and return its end and the starting point, which is `default` if the log has no other.

        A first attempt expects the log to end where the stage before finished; None after a fan-out, whose parts may
        have ended the log anywhere. A retry has no expectation.
        """
        if fence.retry:
            return self._claim_any_end(job, fence, started, default)
        if expected_end is None:
            return self._claim_after_parts(job, fence, started, default)
        start = default
        if job.generation > 1:
            expected_end, start = self._after_resumption(job, expected_end, default)
        tail = claim(
            self._log, job.id, fence, (started,), at=self._clock, expires_at=job.expires_at, expected=expected_end
        )
        return (tail, start) if tail is not None else self._claim_any_end(job, fence, started, default)

    def _claim_after_parts(
        self, job: Job, fence: Fence, started: StageStarted, default: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """Claim the log, wherever it ends, without a `reset`: parts append no text.

        Step Functions may start a first attempt twice. The second appends the `reset` of a retry.
        """
        start = default

        def opening(tail: LogTail) -> Opening:
            nonlocal start
            if tail.fence is not None and (tail.fence.generation, tail.fence.stage) == (fence.generation, fence.stage):
                opening, start = self._opening_with_reset(job, fence, started, default, tail)
                return opening
            start = self._start_after_resumption(job, tail) or default
            return Opening((started,))

        tail = claim(self._log, job.id, fence, opening, at=self._clock, expires_at=job.expires_at)
        return tail, start

    def _after_resumption(
        self, job: Job, expected_end: LogTail, default: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """If the log ends with the resumption's `reset`, return that end: the attempt needs no second `reset`."""
        tail = self._log.tail(job.id)
        if not _is_reset_of_resumption(tail, job):
            return expected_end, default
        return tail, self._start_after_resumption(job, tail) or default

    def _start_after_resumption(self, job: Job, tail: LogTail) -> StartingPoint | None:
        """Return what is kept of earlier attempts if the log ends with the resumption's `reset`."""
        if not _is_reset_of_resumption(tail, job):
            return None
        transcript = read_transcript(self._log, job.id, consistent=True)
        return StartingPoint(transcript.text, _items_of(job, transcript))

    def _claim_any_end(
        self, job: Job, fence: Fence, started: StageStarted, default: StartingPoint
    ) -> tuple[LogTail, StartingPoint]:
        """Claim the log, wherever it ends, with a `reset` to what is kept of earlier attempts."""
        start = default

        def opening(tail: LogTail) -> Opening:
            nonlocal start
            opening, start = self._opening_with_reset(job, fence, started, default, tail)
            return opening

        tail = claim(self._log, job.id, fence, opening, at=self._clock, expires_at=job.expires_at)
        return tail, start

    def _opening_with_reset(
        self, job: Job, fence: Fence, started: StageStarted, default: StartingPoint, tail: LogTail
    ) -> tuple[Opening, StartingPoint]:
        transcript = read_transcript(self._log, job.id, consistent=True)
        start = _start_after_earlier_attempts(job, fence, tail, transcript) or default
        kept = transcript.keep(start.text)
        return Opening((_reset(job, kept), started), start.cursor), replace(start, text=kept.text)

    def _before(self, pipeline: Pipeline, stage: str, job: Job, fence: Fence) -> _Before:
        """Return what the stages before have left for this one."""
        before = pipeline.stage_before(stage)
        if before is None:
            return _Before(job, None, LogTail())
        if before in pipeline.parts:
            return self._collect_parts(pipeline, before, job, fence)
        ref = job.checkpoints[before]
        output = self._checkpoints.get(job.id, before, ref)
        end = LogTail(ref.seq, ref.log_bytes, Fence.parse(ref.fence), watched=ref.watched)
        return _Before(job, output, end)

    def _collect_parts(self, pipeline: Pipeline, fan_out: str, job: Job, fence: Fence) -> _Before:
        """Return the results of the fan-out's parts, and give the fan-out its checkpoint if it has none.

        Raises InternalFault if a part has no result.
        """
        planner = pipeline.stages[pipeline.index_of(fan_out) - 1]
        planned = self._checkpoints.get(job.id, planner, job.checkpoints[planner])
        titles = part_titles(planner, planned.output)
        transcript = read_transcript(self._log, job.id, consistent=True)
        items = transcript.items_of(fan_out)
        missing = [key for key in titles if key not in items]
        if missing:
            named = ", ".join(missing[:10])
            raise InternalFault(f"{len(missing)} of {len(titles)} parts of stage {fan_out} have no result: {named}")
        if fan_out not in job.checkpoints:
            shared = Fence.of_parts(generation=job.generation, stage=pipeline.index_of(fan_out))
            output = StageOutput(output={"parts": list(titles)}, text=planned.text)
            ended = self._log.tail(job.id)
            self._checkpoints.put(job, fan_out, str(shared), output)
            ref = CheckpointRef(seq=ended.seq, log_bytes=ended.log_bytes, watched=ended.watched, fence=str(shared))
            changes = {
                "checkpoints": {**job.checkpoints, fan_out: ref},
                "progress": max(job.progress, transcript.progress),
                "updated_at": self._clock(),
            }
            try:
                job = self._jobs.update(job.id, changes, when=guard_of(fence))
            except StaleWrite as stale:
                raise stopped(stale.current) from stale
        return _Before(job, planned, None, {key: items[key].data for key in titles})

    async def _finish(self, stage: str, job: Job, fence: Fence, context: StageContext, output: StageOutput) -> None:
        context.count_left_running()
        await asyncio.to_thread(self._checkpoints.put, job, stage, str(fence), output)
        tail = context.output.tail
        ref = CheckpointRef(seq=tail.seq, log_bytes=tail.log_bytes, watched=tail.watched, fence=str(fence))
        await asyncio.to_thread(self._store_checkpoint, stage, job, fence, context, ref)
        metrics.stage_finished(
            stage,
            input_tokens=context.usage.input_tokens,
            output_tokens=context.usage.output_tokens,
            cost_usd=context.usage.cost_usd,
        )

    def _store_checkpoint(self, stage: str, job: Job, fence: Fence, context: StageContext, ref: CheckpointRef) -> None:
        """Make the attempt's output valid by one conditional write, which fails if the attempt was superseded.

        An attempt that was superseded may add its tokens meanwhile. Then add to those.
        """
        while True:
            changes = {
                "checkpoints": {**job.checkpoints, stage: ref},
                "usage": job.usage + context.usage,
                "progress": context.output.progress,
                "updated_at": max(self._clock(), job.updated_at + timedelta(microseconds=1)),
            }
            try:
                self._jobs.update(job.id, changes, when=replace(guard_of(fence), updated_at=job.updated_at))
            except StaleWrite as stale:
                if stale.current is None or not guard_of(fence).holds(stale.current):
                    raise stopped(stale.current) from stale
                if stale.current.checkpoints.get(stage) == ref:
                    return  # botocore repeated a write whose response was lost
                job = stale.current
            else:
                return

    async def _store_fault(self, job: Job, fence: Fence, fault: MillraceError) -> None:
        stored = stored_fault(job, fault, message=fault.message, attempt=job.attempt)
        log.warning("attempt failed", stage=job.stage, attempt=job.attempt, code=fault.code)
        metrics.attempt_failed(str(job.stage), fault.code)
        try:
            await asyncio.to_thread(
                self._jobs.update,
                job.id,
                {"last_fault": stored, "updated_at": self._clock()},
                when=guard_of(fence),
            )
        except (StaleWrite, MillraceError):
            log.warning("fault not stored on the job", code=fault.code)


def _count_lost(job: Job, stage: str, invocation: StageInvocation) -> None:
    """Count the attempts before this one that were killed: one that ran, and those that had not claimed the job."""
    claimed = job.attempt if job.stage == stage and Fence.parse(job.fence).generation == invocation.generation else 0
    unclaimed = max(0, invocation.retry - claimed)
    metering.count(Count.TRANSITIONS, unclaimed)
    metering.count(Count.LOST_INVOCATIONS, unclaimed + (claimed == invocation.retry and attempt_is_open(job)))


def _has_finished(pipeline: Pipeline, stage: str, job: Job) -> bool:
    """Return whether the stage has finished; one that a resumed job runs again, in the job's generation."""
    ref = job.checkpoints.get(stage)
    if ref is None or not pipeline.is_repeated(stage):
        return ref is not None
    return Fence.parse(ref.fence).generation == job.generation


def _done(
    pipeline: Pipeline, stage: str, job: Job, output: Mapping[str, Any], *, without: Container[str] = ()
) -> StageDone:
    """Return the result of a finished stage; before a fan-out it has the parts, without some."""
    if pipeline.fan_out_after(stage) is None:
        return StageDone(job_id=job.id, stage=stage)
    parts = tuple(key for key in part_titles(stage, output) if key not in without)
    return FanOutDone(job_id=job.id, stage=stage, parts=parts)


def _is_reset_of_resumption(tail: LogTail, job: Job) -> bool:
    return tail.fence is not None and tail.fence.is_resumption and tail.fence.generation == job.generation


def _items_of(job: Job, transcript: Transcript) -> dict[str, dict[str, Any]]:
    """Return the data of the items of the job's stage by key."""
    return {key: item.data for key, item in transcript.items_of(str(job.stage)).items()}


def _start_after_earlier_attempts(
    job: Job, fence: Fence, tail: LogTail, transcript: Transcript
) -> StartingPoint | None:
    """Return what is kept of earlier attempts at this stage, or None if nothing is.

    That is all their text if the attempt can re-attach to the model response, else the text up to the last item.
    """
    if tail.fence is None:
        return None
    items = _items_of(job, transcript)
    if tail.cursor is not None and (tail.fence.generation, tail.fence.stage) == (fence.generation, fence.stage):
        return StartingPoint(transcript.text, items, tail.cursor)
    text = transcript.text_up_to_last_item(str(job.stage))
    return None if text is None else StartingPoint(text, items)


def _reset(job: Job, kept: KeptText) -> StoredReset:
    fault = job.last_fault
    if fault is None or fault.stage != job.stage or fault.attempt != job.attempt - 1:
        fault = Fault(
            code=ErrorCode.WORKER_LOST,
            message="the stage's function was terminated before the stage finished",
            retryable=True,
        )
    return StoredReset(
        kept_of=kept.of,
        kept_characters=len(kept.text),
        progress=job.progress,
        reason=fault.code,
        message=fault.message,
        attempt=job.attempt,
        retry_count=job.retry_count,
    )
