"""Create jobs: one for each request, even if a client repeats it with its idempotency key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.agents.agent import Agent
from shared.agents.directory import AgentDirectory
from shared.clock import Clock
from shared.errors import (
    Conflict,
    ErrorCode,
    FieldIssue,
    InvalidInput,
    MillraceError,
)
from shared.jobs.executions import Executions, NotStarted
from shared.jobs.idempotency import ClaimedCreation, IdempotencyKeys, KeyClaim, KeyTaken, hash_of_request
from shared.jobs.ids import new_job_id, new_run_id
from shared.jobs.job import Job, JobLinks, JobStatus, ids_of
from shared.jobs.pipeline import JobInput, Pipeline
from shared.jobs.side_writes import SideWrites, put_together
from shared.jobs.start import JobStarter
from shared.jobs.store import JobStore
from shared.jobs.titles import short_title
from shared.limits.creations import CreationLimit
from shared.observability import metering
from shared.observability.log import log
from shared.observability.metrics import metrics

IDEMPOTENCY_SECONDS = 24 * 3600
"""How long an idempotency key is valid."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A request for a job, whose fields are valid."""

    pipeline: str
    input: JobInput
    links: JobLinks
    trace_id: str | None = None
    request_id: str | None = None


class JobCreation:
    """Store jobs and start their executions."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        executions: Executions,
        starter: JobStarter,
        keys: IdempotencyKeys,
        creations: CreationLimit,
        side_writes: SideWrites,
        pipelines: Mapping[str, Pipeline],
        agents: AgentDirectory,
        cell: str,
        default_model: str,
        allowed_models: Sequence[str],
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._executions = executions
        self._starter = starter
        self._keys = keys
        self._creations = creations
        self._side_writes = side_writes
        self._pipelines = pipelines
        self._agents = agents
        self._cell = cell
        self._default_model = default_model
        self._allowed_models = tuple(allowed_models)
        self._clock = clock

    def create(self, owner: str, request: NewJob, *, idempotency_key: str | None = None) -> Job:
        """Store the job, start its execution and return the job. For a repeat with the same key, return the first job.

        Raises:
            InvalidInput: the model or agent is not available, a link is not the owner's, the input has a run id that
                it must not have, or the key was used with a different request body.
            RateLimitExceeded: the owner has created too many jobs in the last minute.
            Conflict: the job of the first request with this key has expired, or what the new job is linked to takes no
                jobs.
            StorageThrottled: other requests keep changing what the job's side writes depend on.
            NotStarted: the execution could not be started; the job is stored as failed.
        """
        now = self._clock().timestamp()
        job_id = new_job_id(int(now * 1000), self._cell)
        if idempotency_key is None:
            return self._create(self._new_job(owner, request, job_id), self._side_writes)
        held_by = self._keys.find(owner, idempotency_key)
        if held_by is not None:
            return self._first_job(held_by, request)
        # Check the agent only now: a repeat returns the first job, also if the agent was deleted in the meantime.
        job = self._new_job(owner, request, job_id)
        claim = KeyClaim(job_id=job_id, request_hash=hash_of_request(_hashed_fields(request)), claimed_at=now)
        expires_at = int(now) + IDEMPOTENCY_SECONDS
        claimed = ClaimedCreation(self._side_writes, self._keys, owner, idempotency_key, claim, expires_at=expires_at)
        try:
            return self._create(job, claimed)
        except KeyTaken as taken:
            return self._first_job(taken.claim, request)
        except NotStarted:
            # The message asks for a repeat, which must create another job.
            self._keys.release(owner, idempotency_key, claim)
            raise

    def repeated(self, owner: str, idempotency_key: str | None, *possible: NewJob) -> Job | None:
        """Return the job that an earlier request with this key created; None if there was none.

        A repeat is not checked again, because what its first request has changed may refuse it. `possible` are the jobs
        that the first request may have asked for, by what it found then.

        Raises:
            InvalidInput: the key was used with another request.
            Conflict: the job has expired.
            NotStarted: the execution could not be started.
        """
        claim = self._keys.find(owner, idempotency_key) if idempotency_key is not None else None
        return self._first_job(claim, *possible) if claim is not None else None

    def _create(self, job: Job, side_writes: SideWrites) -> Job:
        prepared = side_writes.on_creation(job)  # first, so that a refused job does not count
        counted = self._creations.count_creation(job.owner)
        metering.expect(requests=1)  # the start of the execution
        try:
            put_together(side_writes, self._jobs, job, prepared)
        except (MillraceError, KeyTaken):
            self._creations.take_back(job.owner, counted)
            raise
        log.info("job created", **ids_of(job), pipeline=job.pipeline)
        metrics.job_created(pipeline=job.pipeline)
        return self._starter.start(job)

    def _first_job(self, first: KeyClaim, *possible: NewJob) -> Job:
        """Return the job of the first request with this key, which asked for one of the `possible` jobs.

        Raises Conflict if it has expired: the key is valid for longer than the job, and still creates no second one.
        """
        if first.request_hash not in {hash_of_request(_hashed_fields(each)) for each in possible}:
            raise InvalidInput(
                [
                    FieldIssue(
                        "Idempotency-Key", "must be a new key, because this key was used with a different request body"
                    )
                ],
                code=ErrorCode.IDEMPOTENCY_KEY_REUSED,
            )
        job = self._jobs.get(first.job_id)
        if job is None:
            raise Conflict(
                f"this Idempotency-Key created job {first.job_id}, which has expired; send a new key to create another"
            )
        if job.status is JobStatus.PENDING:
            # The first request may have died after it stored the job. Starting an execution twice starts it once.
            return self._starter.start(job)
        return job

    def _new_job(self, owner: str, request: NewJob, job_id: str) -> Job:
        now = self._clock()
        pipeline = self._pipelines[request.pipeline]
        agent = self._agent_for(owner, request.input)
        links = request.links
        if pipeline.recording is not None:
            if links.run_id is not None:
                raise InvalidInput(
                    [FieldIssue("links.runId", "must be omitted, because each job of this pipeline gets a new run")]
                )
            links = links.model_copy(update={"run_id": new_run_id(int(now.timestamp() * 1000))})
        job = Job(
            id=job_id,
            owner=owner,
            pipeline=pipeline.name,
            title=short_title(pipeline.title(request.input)) if pipeline.title is not None else None,
            input=request.input.model_dump(mode="json", exclude_none=True),
            model=self._model_for(request.input, agent),
            agent=agent.ref if agent else None,
            max_retries=pipeline.max_retries,
            links=links,
            trace_id=request.trace_id,
            request_id=request.request_id,
            created_at=now,
            updated_at=now,
            expires_at=self._starter.expiry_of_live(pipeline, now),
        )
        return job.model_copy(update={"execution_arn": self._executions.arn_of(job)})

    def _agent_for(self, owner: str, job_input: JobInput) -> Agent | None:
        if job_input.agent_id is None:
            return None
        agent = self._agents.find(owner, job_input.agent_id)
        if agent is None:
            raise InvalidInput(
                [FieldIssue("agentId", "must be the id of one of your agents; you have no agent with this id")]
            )
        return agent

    def _model_for(self, job_input: JobInput, agent: Agent | None) -> str:
        allowed = ", ".join(self._allowed_models)
        if job_input.custom_model is not None:
            if job_input.custom_model not in self._allowed_models:
                raise InvalidInput([FieldIssue("customModel", f"must be one of: {allowed}")])
            return job_input.custom_model
        if agent is None or agent.model is None:
            return self._default_model
        if agent.model not in self._allowed_models:
            rule = f"agent uses model {agent.model}, which is not available; available models: {allowed}"
            raise InvalidInput([FieldIssue("agentId", rule)])
        return agent.model


def _hashed_fields(request: NewJob) -> dict[str, Any]:
    return {
        "pipeline": request.pipeline,
        "input": request.input.model_dump(mode="json"),
        "links": request.links.model_dump(mode="json"),
    }
