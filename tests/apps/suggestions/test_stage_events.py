"""The stages of the suggestions pipeline on the events of `events/`, and the completion of its job."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import ErrorCode, ModelRateLimited
from shared.jobs.job import Job, JobStatus
from shared.storage.jobs import DynamoJobStore
from tests.fixtures.functions import Handle, done, stored

STAGES = ["generate_suggestions", "validate_suggestions"]


def test_a_job_passes_through_its_stages_and_is_completed(
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


def test_a_retry_finishes_a_stage_after_a_transient_fault(
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


def test_a_retry_after_a_lost_worker_validates_the_generated_output(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_job()
    handle("generate_suggestions.first_attempt")

    assert handle("validate_suggestions.retry") == done("validate_suggestions")

    assert (stored(jobs).attempt, stored(jobs).retry_count) == (2, 1)
    assert list(stored(jobs).checkpoints) == STAGES
