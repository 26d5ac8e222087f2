"""The stage functions on the events of `events/`: what Step Functions hands them, attempt by attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import ErrorCode, JobEnded, ModelRateLimited
from shared.jobs.job import Job, JobStatus
from shared.storage.jobs import DynamoJobStore
from tests.fixtures.functions import JOB_ID

Handle = Callable[..., Any]
STAGES = ["generate_suggestions", "validate_suggestions"]
IDEATION_STAGES = ["prepare_ideas", "generate_ideas", "arrange_ideas"]


def stored(jobs: DynamoJobStore) -> Job:
    job = jobs.get(JOB_ID)
    assert job is not None
    return job


def done(stage: str) -> dict[str, str]:
    """As docs/architecture.md names it."""
    return {"jobId": JOB_ID, "stage": stage, "status": "done"}


def test_a_job_goes_through_its_stages_to_its_end(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_job()

    assert handle("generate_suggestions.first_attempt") == done("generate_suggestions")
    assert stored(jobs).status is JobStatus.IN_PROGRESS
    assert handle("validate_suggestions.first_attempt") == done("validate_suggestions")
    assert list(stored(jobs).checkpoints) == STAGES
    assert handle("complete_job.first_attempt") == done("complete_job")

    job = stored(jobs)
    assert (job.status, job.progress, job.retry_count) == (JobStatus.COMPLETED, 100, 0)


def test_a_stage_that_met_a_transient_fault_is_done_by_its_retry(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_job("status=429, times=1, token_ms=0")

    with pytest.raises(ModelRateLimited):
        handle("generate_suggestions.first_attempt")
    assert handle("generate_suggestions.retry") == done("generate_suggestions")

    job = stored(jobs)
    assert (job.attempt, job.retry_count) == (2, 1)
    assert job.last_fault is not None
    assert job.last_fault.code is ErrorCode.MODEL_RATE_LIMITED


def test_a_retry_after_a_lost_worker_validates_what_was_generated(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_job()
    handle("generate_suggestions.first_attempt")

    assert handle("validate_suggestions.retry") == done("validate_suggestions")

    assert (stored(jobs).attempt, stored(jobs).retry_count) == (2, 1)
    assert list(stored(jobs).checkpoints) == STAGES


def test_a_brainstorming_job_goes_through_its_stages_to_its_end(
    handle: Handle, put_ideation: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_ideation(arrangement="rank")

    assert handle("prepare_ideas.first_attempt") == done("prepare_ideas")
    assert handle("generate_ideas.first_attempt") == done("generate_ideas")
    assert handle("arrange_ideas.first_attempt") == done("arrange_ideas")

    assert list(stored(jobs).checkpoints) == IDEATION_STAGES
    assert stored(jobs).progress == 99


def test_every_stage_of_a_brainstorming_job_is_done_by_its_retry(
    handle: Handle, put_ideation: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_ideation("status=429, times=1, token_ms=0", arrangement="group")

    assert handle("prepare_ideas.retry") == done("prepare_ideas")
    with pytest.raises(ModelRateLimited):
        handle("generate_ideas.first_attempt")
    assert handle("generate_ideas.retry") == done("generate_ideas")
    assert handle("arrange_ideas.retry") == done("arrange_ideas")

    assert stored(jobs).retry_count == 3


@pytest.mark.parametrize(
    ("event", "code", "retryable"),
    [
        ("record_failure.model_rate_limited", ErrorCode.MODEL_RATE_LIMITED, True),
        ("record_failure.invalid_model_output", ErrorCode.INVALID_MODEL_OUTPUT, False),
        ("record_failure.stage_timeout", ErrorCode.STAGE_TIMEOUT, True),
    ],
)
def test_a_failure_that_was_caught_is_recorded_by_its_name(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore, event: str, code: ErrorCode, retryable: bool
) -> None:
    put_job()

    assert handle(event) == done("record_failure")

    job = stored(jobs)
    assert job.status is JobStatus.FAILED
    assert job.failure is not None
    assert (job.failure.code, job.failure.retryable) == (code, retryable)


@pytest.mark.parametrize(
    "event", ["generate_suggestions.first_attempt", "complete_job.first_attempt", "record_failure.stage_timeout"]
)
def test_a_job_that_is_not_there_is_nobodys_work(handle: Handle, event: str) -> None:
    with pytest.raises(JobEnded):
        handle(event)


def test_the_sweep_leaves_a_job_alone_that_has_only_just_begun(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_job()

    handle("sweep_jobs.scheduled")

    assert stored(jobs).status is JobStatus.PENDING
