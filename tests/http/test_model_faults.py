"""A job whose model fails is retried, repaired or failed, and its stream and its status show which."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, Event, ended_execution, fold

FAULTS = {
    "limited twice": "status=429, times=2, token_ms=0",
    "down for all attempts": "status=500",
    "refused": "refusal",
    "broken JSON": "invalid_json, token_ms=0",
    "broken JSON twice": "off_schema, token_ms=0",
    "cut off": "disconnect_after=40, token_ms=10, times=1",
}
STAYS_BROKEN = "suggestions: Field required"
"""In the repair request after `off_schema`, and in no other."""


@dataclass(frozen=True)
class WatchedJob:
    """The events that a watcher received for a job, and the job that its owner reads afterwards."""

    events: list[Event]
    job: dict[str, Any]
    user: ApiUser

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.type == kind]


@pytest.fixture(scope="module")
def watched_jobs(stack: LocalStack) -> Iterator[dict[str, Future[WatchedJob]]]:
    """Start all jobs at once, because retries wait in real time."""
    users = {fault: ApiUser(stack) for fault in FAULTS}

    def live(fault: str) -> WatchedJob:
        user = users[fault]
        job_id = user.new_job(FAULTS[fault])
        return WatchedJob(user.watch(job_id), user.ended(job_id), user)

    with ModelControl(stack.model_url) as model, ThreadPoolExecutor(len(FAULTS)) as pool:
        model.script(match=STAYS_BROKEN, times=1, invalid_json=True, token_ms=0)
        yield {fault: pool.submit(live, fault) for fault in FAULTS}
    for user in users.values():
        user.close()


def test_a_stage_is_retried_until_the_model_is_no_longer_rate_limited(
    watched_jobs: dict[str, Future[WatchedJob]],
) -> None:
    watched = watched_jobs["limited twice"].result()

    assert watched.job["status"] == "completed"
    assert watched.job["retryCount"] == 2
    assert watched.job["lastFault"]["code"] == "MODEL_RATE_LIMITED"
    assert watched.job["failure"] is None
    resets = watched.of_type("reset")
    assert [reset["reason"] for reset in resets] == ["MODEL_RATE_LIMITED"] * 2
    assert [reset["attempt"] for reset in resets] == [2, 3]
    assert [reset["retryCount"] for reset in resets] == [1, 2]
    assert fold(watched.events) == watched.job["text"]


def test_an_unavailable_model_fails_the_job_after_three_retries(watched_jobs: dict[str, Future[WatchedJob]]) -> None:
    watched = watched_jobs["down for all attempts"].result()

    assert watched.job["status"] == "failed"
    assert watched.job["retryCount"] == 3
    failure = watched.job["failure"]
    assert failure["code"] == "MODEL_UNAVAILABLE"
    assert failure["stage"] == "generate_suggestions"
    assert failure["attempt"] == 4
    assert failure["retryable"] is True
    assert failure["stackTrace"] is None
    assert len(watched.of_type("reset")) == 3
    sent = watched.events[-1].data
    assert watched.events[-1].type == "error"
    assert {key: sent[key] for key in ("code", "message", "stage", "attempt", "retryable", "traceId")} == {
        key: failure[key] for key in ("code", "message", "stage", "attempt", "retryable", "traceId")
    }
    assert sent["retryCount"] == 3
    assert sent["requestId"] == watched.job["requestId"]


def test_the_owner_can_read_the_stack_trace(watched_jobs: dict[str, Future[WatchedJob]]) -> None:
    watched = watched_jobs["down for all attempts"].result()

    response = watched.user.api.get(f"/jobs/{watched.job['jobId']}", params={"include": "stackTrace"})

    assert "File " in response.json()["data"]["failure"]["stackTrace"]


def test_the_execution_of_a_failed_job_fails(watched_jobs: dict[str, Future[WatchedJob]]) -> None:
    watched = watched_jobs["down for all attempts"].result()
    execution = ended_execution(watched.user.stack, watched.job["executionArn"])
    assert execution["status"] == "FAILED"
    assert execution["error"] == "ModelUnavailable"


def test_a_models_refusal_fails_the_job_without_a_retry(watched_jobs: dict[str, Future[WatchedJob]]) -> None:
    watched = watched_jobs["refused"].result()

    assert watched.job["status"] == "failed"
    assert watched.job["retryCount"] == 0
    assert watched.job["failure"]["code"] == "MODEL_REFUSED"
    assert watched.job["failure"]["retryable"] is False
    assert watched.events[-1].type == "error"
    assert watched.of_type("reset") == []


def test_the_stage_repairs_an_output_that_does_not_fit_its_schema(watched_jobs: dict[str, Future[WatchedJob]]) -> None:
    watched = watched_jobs["broken JSON"].result()

    assert watched.job["status"] == "completed"
    assert watched.job["retryCount"] == 0
    assert [reset["reason"] for reset in watched.of_type("reset")] == ["REPAIR"]
    assert fold(watched.events) == watched.job["text"]
    assert watched.job["result"]["suggestions"]


def test_an_output_that_does_not_fit_after_the_repair_fails_the_job(
    watched_jobs: dict[str, Future[WatchedJob]],
) -> None:
    watched = watched_jobs["broken JSON twice"].result()

    assert watched.job["status"] == "failed"
    assert watched.job["failure"]["code"] == "INVALID_MODEL_OUTPUT"
    assert watched.job["failure"]["stage"] == "validate_suggestions"
    assert watched.job["retryCount"] == 0
    assert [reset["reason"] for reset in watched.of_type("reset")] == ["REPAIR"]
    assert watched.events[-1].data["code"] == "INVALID_MODEL_OUTPUT"


def test_the_stream_resets_an_output_that_breaks_off_and_sends_it_again(
    watched_jobs: dict[str, Future[WatchedJob]],
) -> None:
    watched = watched_jobs["cut off"].result()

    assert watched.job["status"] == "completed"
    assert watched.job["retryCount"] == 1
    (reset,) = watched.of_type("reset")
    assert reset["reason"] == "MODEL_DISCONNECTED"
    assert reset["text"] == ""
    position = next(position for position, event in enumerate(watched.events) if event.type == "reset")
    assert fold(watched.events[:position])
    assert fold(watched.events) == watched.job["text"]
    assert watched.events[-1].data["result"] == watched.job["result"]
