"""Run one part of a fan-out: all parts append under one fence, and each leaves exactly one item."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from shared.agents.store import AgentVersions
from shared.characters import whole_values
from shared.clock import Clock
from shared.errors import AttemptStopped, InternalFault, MillraceError
from shared.jobs.checkpoints import CheckpointStore, StageOutput
from shared.jobs.fan_out import part_titles
from shared.jobs.invocation import PartDone, PartInvocation
from shared.jobs.job import LIVE, Job, JobStatus, ids_of
from shared.jobs.pipeline import Pipeline
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.log.event_log import EventLog, LogBounds, text_bytes
from shared.log.events import ApplicationEvent, StoredEvent
from shared.log.fence import Fence
from shared.log.shared_writer import SharedWriter
from shared.log.transcript import Transcript
from shared.log.usage import UNREPORTED, TokenUsage
from shared.log.writer import MAX_ITEM_BYTES
from shared.observability import metering, tracing
from shared.observability.log import log
from shared.observability.metering import Count
from shared.observability.metrics import metrics
from shared.stages.attempt_guard import guard_of, raise_if_job_stopped, stopped
from shared.stages.attempts import add_compute, agent_of, cancel_response, store_usage, stored_fault
from shared.stages.part import Part, PartContext
from shared.stages.part_events import PartEvents
from shared.stages.time_limit import wait_as_told, within_time_limit

STOP_CHECK_SECONDS = 1.0
"""Seconds between two checks whether the job has ended while a part runs."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _PartLog:
    """The job's log, as one attempt at a part appends to it."""

    events: PartEvents
    writer: SharedWriter

    def start(self) -> bool:
        """Append the attempt's first events. Return whether the log shows an attempt before that has not ended."""
        under_way = False

        def opening(transcript: Transcript, is_first: bool) -> list[StoredEvent]:
            nonlocal under_way
            under_way = self.events.is_under_way(transcript)
            return self.events.started(transcript, is_first)

        self.writer.append(opening)
        return under_way

    @property
    def is_over(self) -> bool:
        """Whether the part has its result."""
        return self.events.are_over(self.writer.transcript)

    def finish(self, result: dict[str, Any], event: ApplicationEvent | None) -> None:
        """Append the result, unless another attempt has."""
        self.writer.append(lambda transcript, _: self.events.finished(transcript, result, event))

    def fail(self) -> None:
        """Append that the attempt has failed, unless another attempt has finished the part."""
        self.writer.append(lambda transcript, _: self.events.failed(transcript))


@dataclass(slots=True)
class _Attempt:
    """One attempt at a part. `log` is None until the attempt knows the parts of the fan-out."""

    job: Job
    fence: Fence
    part: str
    number: int
    log: _PartLog | None = None


class PartRunner:
    """Run parts so that each finishes once, although several run at once and Step Functions retries each."""

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

    async def run(self, pipeline: Pipeline, part: Part, invocation: PartInvocation) -> PartDone:
        """Run one attempt at the part that the invocation names. Do nothing if the part has its result.

        A fault that ends the attempt is stored on the job as `last_fault`; its message names the part.

        Raises:
            AttemptStopped: the job has ended, or a later stage or a resumption has claimed it.
            TransientFault: Step Functions retries the part.
            PermanentFault: the job fails. An exception that is not a MillraceError is raised as InternalFault.
        """
        if part.name not in pipeline.parts:
            raise InternalFault(f"stage {part.name} is no fan-out: name it in `parts` of the pipeline {pipeline.name}")
        fence = Fence.of_parts(generation=invocation.generation, stage=pipeline.index_of(part.name))
        job = await asyncio.to_thread(self._claim_job, part.name, fence, invocation)
        tracing.annotate(**ids_of(job), stage=part.name, part=invocation.part, attempt=invocation.retry + 1)
        attempt = _Attempt(job, fence, invocation.part, invocation.retry + 1)
        with log.about(**ids_of(job), part=invocation.part):
            await self._run_claimed(pipeline, part, attempt)
        return PartDone(job_id=job.id, stage=part.name, part=invocation.part)

    async def _run_claimed(self, pipeline: Pipeline, part: Part, attempt: _Attempt) -> None:
        try:
            await self._attempt(pipeline, part, attempt)
        except AttemptStopped as reason:
            log.info("attempt stopped", stage=part.name, reason=type(reason).__name__)
            await add_compute(self._jobs, attempt.job.id)
            raise
        except MillraceError as fault:
            _name_part(fault, attempt.part)
            await asyncio.to_thread(self._store_fault, attempt, fault)
            await wait_as_told(fault)
            raise
        except Exception as error:
            log.defect("part broke", error, stage=part.name)
            internal = InternalFault(f"an internal error occurred in stage {part.name} ({type(error).__name__})")
            _name_part(internal, attempt.part)
            await asyncio.to_thread(self._store_fault, attempt, internal)
            # Lambda gives the state machine this exception's frames only, and the owner looks for those of the defect.
            raise internal.with_traceback(error.__traceback__) from error

    def _claim_job(self, stage: str, fence: Fence, invocation: PartInvocation) -> Job:
        """Claim the job for all parts, unless another part has; only the first parts and retries write the job."""
        guard = JobGuard(status_in=LIVE, generation=invocation.generation, fence_up_to=str(fence))
        job = self._jobs.get(invocation.job_id)
        if job is None or not guard.holds(job):
            raise stopped(job)
        if job.fence != str(fence):
            changes = {
                "status": JobStatus.IN_PROGRESS,
                "stage": stage,
                "fence": str(fence),
                "attempt": 1,
                "updated_at": self._clock(),
            }
            try:
                job = self._jobs.update(job.id, changes, when=guard)
            except StaleWrite as stale:
                raise stopped(stale.current) from stale
        if invocation.retry:
            return self._change_job(job, fence, lambda now: {"retry_count": now.retry_count + 1})
        return job

    async def _attempt(self, pipeline: Pipeline, part: Part, attempt: _Attempt) -> None:
        job = attempt.job
        previous, titles, since = await asyncio.to_thread(self._fan_out, pipeline, part.name, attempt)
        attempt.log = part_log = self._log_of(pipeline, part.name, attempt, titles, previous, since)
        under_way = await asyncio.to_thread(part_log.start)
        if part_log.is_over:
            log.info("part already finished by an earlier attempt", stage=part.name)
            return
        if under_way and attempt.number > 1:  # the attempt before was killed, and may have called the model
            metering.count(Count.LOST_INVOCATIONS)
            await store_usage(self._jobs, job.id, UNREPORTED, self._clock)
        context = PartContext(
            job,
            pipeline.input_model.model_validate(job.input),
            previous,
            part=attempt.part,
            title=titles[attempt.part],
            writer=part_log.writer,
            agent=await agent_of(job, self._agents),
            events=pipeline.events,
        )
        try:
            result = await self._run_until_stopped(attempt, within_time_limit(part.run(context), lambda: False))
        except BaseException:
            await cancel_response(context)  # no later attempt re-attaches to it
            await store_usage(self._jobs, job.id, context.usage, self._clock)
            raise
        await asyncio.to_thread(self._finish, part_log, attempt, context, whole_values(result))
        if context.usage == TokenUsage():  # otherwise the write of its tokens has added it
            await add_compute(self._jobs, job.id)

    def _fan_out(self, pipeline: Pipeline, stage: str, attempt: _Attempt) -> tuple[StageOutput, dict[str, str], int]:
        """Return the output of the stage that named the parts, their titles, and where the log ended after it."""
        planner = pipeline.stages[pipeline.index_of(stage) - 1]
        ref = attempt.job.checkpoints.get(planner)
        if ref is None:
            raise InternalFault(f"stage {stage} began before stage {planner} had finished")
        previous = self._checkpoints.get(attempt.job.id, planner, ref)
        titles = part_titles(planner, previous.output)
        if attempt.part not in titles:
            raise InternalFault(f"stage {planner} has not named this part")
        return previous, titles, ref.seq

    def _log_of(
        self,
        pipeline: Pipeline,
        stage: str,
        attempt: _Attempt,
        titles: Mapping[str, str],
        previous: StageOutput,
        since: int,
    ) -> _PartLog:
        job = attempt.job
        events = PartEvents(
            stage=stage,
            index=pipeline.index_of(stage) + 1,
            of=len(pipeline.stages),
            part=attempt.part,
            titles=titles,
            text_length=len(previous.text),
            since=job.progress,
        )
        writer = SharedWriter(
            self._log,
            job.id,
            attempt.fence,
            after=since,
            expires_at=job.expires_at,
            clock=self._clock,
            bounds=self._bounds,
            check_job=lambda: raise_if_job_stopped(self._jobs, job.id, attempt.fence),
        )
        return _PartLog(events, writer)

    async def _run_until_stopped(self, attempt: _Attempt, work: Awaitable[T]) -> T:
        """Run `work` and return its result. Cancel it, and raise AttemptStopped, if the job ends or moves on."""
        task = asyncio.ensure_future(work)
        check = asyncio.create_task(self._raise_when_stopped(attempt))
        try:
            await asyncio.wait({task, check}, return_when=asyncio.FIRST_COMPLETED)
            if check.done():
                check.result()
            return await task
        finally:
            check.cancel()
            task.cancel()
            await asyncio.gather(check, task, return_exceptions=True)

    async def _raise_when_stopped(self, attempt: _Attempt) -> None:
        while True:
            await asyncio.sleep(STOP_CHECK_SECONDS)
            await asyncio.to_thread(raise_if_job_stopped, self._jobs, attempt.job.id, attempt.fence)

    def _finish(self, part_log: _PartLog, attempt: _Attempt, context: PartContext, result: dict[str, Any]) -> None:
        usage = context.usage
        if text_bytes((part_log.events.item(result),)) > MAX_ITEM_BYTES:
            raise InternalFault(
                f"the result of a part may have at most {MAX_ITEM_BYTES} bytes; store larger data elsewhere"
            )
        if usage != TokenUsage():
            metering.expect(requests=1, write_units=1)  # the append of the result
            # Before the result: if the attempt is killed in between, its tokens are paid for, and its retry pays again.
            self._change_job(attempt.job, attempt.fence, lambda now: {"usage": now.usage + usage})
        part_log.finish(result, context.event_with_result)
        metrics.stage_finished(
            part_log.events.stage,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
        )

    def _change_job(self, job: Job, fence: Fence, changes_of: Callable[[Job], Mapping[str, Any]]) -> Job:
        """Change the job by a function of its fields; compute the change again if another part changes it first.

        Each such change has its own `updated_at`, because that is what the next change is conditional on.

        Raises AttemptStopped if the parts may no longer write.
        """
        current = self._jobs.get(job.id)
        while True:
            if current is None or not guard_of(fence).holds(current):
                raise stopped(current)
            at = max(self._clock(), current.updated_at + timedelta(microseconds=1))
            guard = replace(guard_of(fence), updated_at=current.updated_at)
            try:
                return self._jobs.update(current.id, {**changes_of(current), "updated_at": at}, when=guard)
            except StaleWrite as stale:
                if stale.current is not None and stale.current.updated_at == at:
                    return stale.current  # botocore repeated a write whose response was lost
                current = stale.current

    def _store_fault(self, attempt: _Attempt, fault: MillraceError) -> None:
        """Store why the attempt failed: on the job, and in the log as the end of its subtask."""
        job = attempt.job
        log.warning("attempt failed", stage=job.stage, attempt=attempt.number, code=fault.code)
        metrics.attempt_failed(str(job.stage), fault.code)
        stored = stored_fault(job, fault, message=fault.message, attempt=attempt.number)
        try:
            # Other parts make attempts too, so the job's `attempt` is that of its last fault.
            changes = {"last_fault": stored, "attempt": attempt.number, "updated_at": self._clock()}
            self._jobs.update(job.id, changes, when=guard_of(attempt.fence))
        except (StaleWrite, MillraceError):
            log.warning("fault not stored on the job", code=fault.code)
        if attempt.log is not None:
            with contextlib.suppress(MillraceError):
                attempt.log.fail()


def _name_part(fault: MillraceError, part: str) -> None:
    """Put the part into the message of its fault: the execution's history shows it, and so does the failed job."""
    fault.message = f"part {part}: {fault.message}"
    fault.args = (fault.message,)
