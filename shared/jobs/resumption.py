"""Resume a failed or cancelled job from its last checkpoint, if the checkpoint still fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from shared.agents.store import AgentVersions
from shared.clock import Clock
from shared.errors import AttemptStopped, AttemptSuperseded, CheckpointUnfit, Conflict, MillraceError
from shared.jobs.checkpoints import CheckpointStore, StageOutput
from shared.jobs.executions import Executions
from shared.jobs.job import Job, JobStatus, ids_of
from shared.jobs.pipeline import Pipeline
from shared.jobs.queries import owned_job
from shared.jobs.side_writes import SideWrites, update_together
from shared.jobs.start import JobStarter
from shared.jobs.store import JobGuard, JobStore, StaleWrite
from shared.limits.creations import CreationLimit
from shared.log.claim import Opening, claim
from shared.log.compaction import renew
from shared.log.event_log import EventLog, LogTail
from shared.log.events import StoredReset
from shared.log.fence import Fence
from shared.log.reader import read_transcript
from shared.log.transcript import Transcript
from shared.observability.log import log

RESUMABLE = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
"""The statuses of jobs that can be resumed."""


def not_resumable(job: Job) -> Conflict:
    """Return the error for a job that has neither failed nor been cancelled."""
    return Conflict(f"the job is {job.status}; only a failed or cancelled job can be resumed")


class JobResumption:
    """Start the next generation of an ended job. It keeps the log and the checkpoints of the finished stages."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        checkpoints: CheckpointStore,
        executions: Executions,
        starter: JobStarter,
        creations: CreationLimit,
        side_writes: SideWrites,
        pipelines: Mapping[str, Pipeline],
        agents: AgentVersions,
        allowed_models: Sequence[str],
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._executions = executions
        self._starter = starter
        self._creations = creations
        self._side_writes = side_writes
        self._pipelines = pipelines
        self._agents = agents
        self._allowed_models = allowed_models
        self._clock = clock

    def resume(self, owner: str, job_id: str, *, trace_id: str | None = None, request_id: str | None = None) -> Job:
        """Start the next generation and return the job. Watchers get a `reset` with the text that is kept.

        `trace_id` and `request_id` replace the job's own, because this request causes the new execution. If another
        request has stored the next generation, and none of its attempts has begun, complete that resumption instead.

        Raises:
            NotFound: the job does not exist or has expired.
            Forbidden: the job has another owner.
            Conflict: the job has neither failed nor been cancelled, or what it is linked to takes no jobs.
            CheckpointUnfit: the pipeline, the model or the agent no longer fits the checkpoints, or a link is gone.
            RateLimitExceeded: the owner has created or resumed too many jobs in the last minute.
            NotStarted: the execution could not be started; the job is stored as failed.
        """
        job = owned_job(self._jobs, owner, job_id)
        is_resumed = self._is_resumed(job)
        if job.status not in RESUMABLE and not is_resumed:
            raise not_resumable(job)
        outputs = self._outputs(job)
        counted = self._creations.count_creation(owner)
        try:
            origin = {"trace_id": trace_id, "request_id": request_id}
            at = self._clock()
            resumed = job if is_resumed else self._next_generation(job, outputs, origin, at)
        except MillraceError:
            self._creations.take_back(owner, counted)
            raise
        if not is_resumed and resumed.updated_at != at:
            self._creations.take_back(owner, counted)  # the other request has counted it
        self._append_reset(resumed, list(outputs.values())[-1] if outputs else None)
        log.info("job resumed", **ids_of(resumed), generation=resumed.generation)
        return self._starter.start(resumed)

    def _is_resumed(self, job: Job) -> bool:
        """Return whether a request has resumed the job and no attempt has begun since.

        That request may have broken off before it appended the `reset` or started the execution.
        """
        if job.status is not JobStatus.PENDING or job.generation == 1:
            return False
        fence = self._log.tail(job.id).fence
        return fence is None or fence <= Fence.of_resumption(job.generation)

    def _outputs(self, job: Job) -> dict[str, StageOutput]:
        """Return the outputs of the finished stages, in order. Raises CheckpointUnfit."""
        pipeline = self._pipelines.get(job.pipeline)
        if pipeline is None:
            raise CheckpointUnfit(f"pipeline {job.pipeline} no longer exists; create a new job")
        finished = pipeline.stages[: len(job.checkpoints)]
        if set(finished) != job.checkpoints.keys():
            raise CheckpointUnfit("the pipeline's stages have changed since the job ran; create a new job")
        try:
            job_input = pipeline.input_model.model_validate(job.input)
        except ValidationError:
            raise CheckpointUnfit(
                "the pipeline's input has changed since the job was created; create a new job"
            ) from None
        if job.model not in self._allowed_models:
            raise CheckpointUnfit(f"model {job.model} is no longer available; create a new job with another model")
        self._check_agent(job, pipeline)
        self._check_log(job)
        try:
            outputs = {stage: self._checkpoints.get(job.id, stage, job.checkpoints[stage]) for stage in finished}
        except KeyError:
            raise CheckpointUnfit("a checkpoint of the job is no longer stored; create a new job") from None
        reason = pipeline.refuse_resume(job_input, outputs) if pipeline.refuse_resume else None
        if reason is not None:
            raise CheckpointUnfit(reason)
        return outputs

    def _check_log(self, job: Job) -> None:
        """Raise CheckpointUnfit if a part of the job's log is no longer stored, so that no watcher could read it."""
        last = self._log.tail(job.id).seq
        # A job that has begun has events: without any, a new log would give their numbers to other events.
        is_gone = last == 0 and job.started_at is not None
        if is_gone or read_transcript(self._log, job.id, consistent=True).seq != last:
            raise CheckpointUnfit("the events of the job are no longer all stored; create a new job")

    def _check_agent(self, job: Job, pipeline: Pipeline) -> None:
        """Raise CheckpointUnfit if the job's agent version does not exist until the resumed job has ended."""
        if job.agent is None:
            return
        agent = self._agents.version(job.agent.agent_id, job.agent.version)
        ends_at = self._starter.expiry_of_live(pipeline, self._clock())
        if agent is None or (agent.expires_at is not None and agent.expires_at < ends_at):
            raise CheckpointUnfit(
                f"version {job.agent.version} of agent {job.agent.agent_id} is no longer stored; create a new job"
            )

    def _next_generation(
        self, job: Job, outputs: Mapping[str, StageOutput], origin: Mapping[str, str | None], now: datetime
    ) -> Job:
        generation = job.generation + 1
        changes: dict[str, Any] = {
            **{name: value for name, value in origin.items() if value is not None},
            "status": JobStatus.PENDING,
            "generation": generation,
            "attempt": 1,
            "last_fault": None,
            "failure": None,
            "ended_at": None,
            "updated_at": now,
            "expires_at": self._starter.expiry_of_live(self._pipelines[job.pipeline], now),
            "execution_arn": self._executions.arn_of(job.model_copy(update={"generation": generation})),
        }
        renewed = job.model_copy(update=changes)
        self._jobs.renew_links(renewed)
        for stage, output in outputs.items():
            self._checkpoints.put(renewed, stage, job.checkpoints[stage].fence, output)
        try:
            guard = JobGuard(status_in=RESUMABLE, generation=job.generation)
            return update_together(self._side_writes, self._jobs, job, changes, when=guard)
        except StaleWrite as stale:
            if stale.current is None:
                raise Conflict("the job has expired; create a new job") from stale
            if stale.current.generation == generation and self._is_resumed(stale.current):
                # Another request has just written it, and may break off; or this one, whose response was lost.
                return stale.current
            raise Conflict(f"the job is {stale.current.status}; another request has resumed it") from stale

    def _append_reset(self, job: Job, checkpoint: StageOutput | None) -> None:
        """Claim the log at once with a `reset`, so that it no longer ends with a terminal event.

        The events before it expire with the generation before, so store a snapshot of them.
        """

        fence = Fence.of_resumption(job.generation)

        def opening(tail: LogTail) -> Opening:
            if tail.fence == fence:
                raise AttemptSuperseded("another request has appended the reset")
            transcript = read_transcript(self._log, job.id, consistent=True)
            text = self._text_of_interrupted_stage(job, transcript) or (checkpoint.text if checkpoint else "")
            kept = transcript.keep(text)
            reset = StoredReset(
                kept_of=kept.of,
                kept_characters=len(kept.text),
                progress=job.progress,
                reason="RESUMED",
                message="the job resumes from its last checkpoint",
                attempt=1,
                retry_count=job.retry_count,
            )
            return Opening((reset,))

        # If the owner has cancelled the job again, that terminal event is the end of the log.
        with suppress(AttemptStopped):
            claim(self._log, job.id, fence, opening, at=self._clock, expires_at=job.expires_at)
        renew(self._log, job.id, expires_at=job.expires_at)

    def _text_of_interrupted_stage(self, job: Job, transcript: Transcript) -> str | None:
        """Return the stage's text up to its last item; None if it has no item, or if every stage has finished."""
        stages = self._pipelines[job.pipeline].stages
        if len(job.checkpoints) == len(stages):
            return None
        return transcript.text_up_to_last_item(stages[len(job.checkpoints)])
