"""The functions that end jobs handle their events of `events/operations/`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import ErrorCode, JobEnded
from shared.jobs.job import Job, JobStatus
from shared.storage.jobs import DynamoJobStore
from tests.fixtures.functions import Handle, done, stored


@pytest.mark.parametrize(
    ("event", "code", "retryable"),
    [
        ("record_failure.model_rate_limited", ErrorCode.MODEL_RATE_LIMITED, True),
        ("record_failure.invalid_model_output", ErrorCode.INVALID_MODEL_OUTPUT, False),
        ("record_failure.stage_timeout", ErrorCode.STAGE_TIMEOUT, True),
    ],
)
def test_record_failure_stores_the_code_of_the_failure(
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
def test_the_handler_refuses_an_event_of_an_unknown_job(handle: Handle, event: str) -> None:
    with pytest.raises(JobEnded):
        handle(event)


def test_the_sweep_does_not_change_a_new_job(handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore) -> None:
    put_job()

    handle("sweep_jobs.scheduled")

    assert stored(jobs).status is JobStatus.PENDING


def test_the_event_of_a_failed_execution_fails_its_live_job(
    handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    assert handle("end_lost_job.execution_failed") == {"ended": None}
    job = put_job()

    assert handle("end_lost_job.execution_failed") == {"ended": job.id}

    failure = stored(jobs).failure
    assert failure is not None
    assert failure.code is ErrorCode.WORKER_LOST
