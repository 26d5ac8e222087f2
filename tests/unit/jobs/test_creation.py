"""Create jobs: model, agent, limit, and executions that do not start."""

from __future__ import annotations

import pytest

from shared.errors import (
    ErrorCode,
    InvalidInput,
    RateLimitExceeded,
)
from shared.jobs.executions import ExecutionNotStarted, NotStarted
from shared.jobs.job import Fault, Job, JobLinks, JobStatus
from shared.jobs.store import JobFilter, JobGuard
from shared.log.events import Failed
from tests.fakes.core import PIPELINES, FakeCore, PoemInput, a_request
from tests.fakes.executions import FakeExecutions

ANY = JobFilter()


class TestCreation:
    def test_creation_stores_the_job_and_starts_its_execution(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request(links=JobLinks(session_id="s"), trace_id="t", request_id="r"))
        assert core.job(job.id) == job
        assert core.executions.started == {job.id}
        assert (job.owner, job.status, job.input, job.model) == ("ada", "pending", {"topic": "rivers"}, "scripted-1")
        assert (job.links.session_id, job.trace_id, job.request_id) == ("s", "t", "r")
        assert job.execution_arn == core.executions.arn_of(job)

    def test_a_live_job_expires_after_its_longest_execution_and_the_retention_of_failed_jobs(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request())
        assert job.expires_at == int(core.clock().timestamp()) + PIPELINES["poem"].run_seconds + 900 + 3600

    def test_an_allowed_model_is_used_and_another_is_refused_with_its_field(self) -> None:
        core = FakeCore()
        chosen = a_request(input=PoemInput(custom_model="scripted-2"))
        assert core.job_creation.create("ada", chosen).model == "scripted-2"
        with pytest.raises(InvalidInput) as refusal:
            core.job_creation.create("ada", a_request(input=PoemInput(custom_model="gpt-imaginary")))
        assert [issue.field for issue in refusal.value.issues] == ["customModel"]
        assert "scripted-2" in refusal.value.message

    def test_an_unknown_agent_is_refused_with_its_field(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            FakeCore().job_creation.create("ada", a_request(input=PoemInput(agent_id="agent-7")))
        assert [issue.field for issue in refusal.value.issues] == ["agentId"]

    def test_the_eleventh_job_within_a_minute_is_refused_and_not_stored(self) -> None:
        core = FakeCore()
        for _ in range(10):
            core.job_creation.create("ada", a_request())
        with pytest.raises(RateLimitExceeded):
            core.job_creation.create("ada", a_request())
        assert len(core.executions.started) == 10
        assert len(core.job_queries.list_jobs("ada", where=ANY, limit=50, cursor=None).jobs) == 10


class LosesTheResponse(FakeExecutions):
    """Starts the execution, which brings the job to `reached`, but the response is lost."""

    def __init__(self, core: FakeCore, reached: JobStatus) -> None:
        super().__init__()
        self._core = core
        self._reached = reached

    def start(self, job: Job) -> None:
        fault = Fault(code=ErrorCode.WORKER_LOST, message="lost") if self._reached is JobStatus.FAILED else None
        self._core.jobs.update(job.id, {"status": self._reached, "failure": fault}, when=JobGuard())
        raise ExecutionNotStarted("no response")


class TestExecutionsThatDoNotStart:
    def test_the_job_its_log_and_the_refusal_have_the_reason(self) -> None:
        core = FakeCore()
        core.executions.refusal = "StateMachineDoesNotExist"
        with pytest.raises(NotStarted) as refusal:
            core.job_creation.create("ada", a_request(trace_id="t"))
        job = core.job(refusal.value.job.id)
        assert job.status is JobStatus.FAILED
        assert job.failure == Fault(
            code=ErrorCode.EXECUTION_NOT_STARTED,
            message="the job's execution could not be started",
            retryable=True,
            trace_id="t",
        )
        (event,) = core.events(job)
        assert isinstance(event, Failed)
        assert (event.code, event.retryable) == (ErrorCode.EXECUTION_NOT_STARTED, True)
        assert job.expires_at == int(core.clock().timestamp()) + 3600
        assert "StateMachineDoesNotExist" not in job.model_dump_json() + refusal.value.message

    def test_a_job_whose_execution_started_is_in_progress_although_the_response_was_lost(self) -> None:
        core = FakeCore()
        core.job_starter._executions = LosesTheResponse(core, JobStatus.IN_PROGRESS)
        job = core.job_creation.create("ada", a_request())
        assert job.status is JobStatus.IN_PROGRESS
        assert core.events(job) == []

    def test_a_job_that_failed_meanwhile_stays_failed(self) -> None:
        core = FakeCore()
        core.job_starter._executions = LosesTheResponse(core, JobStatus.FAILED)
        with pytest.raises(NotStarted):
            core.job_creation.create("ada", a_request())
