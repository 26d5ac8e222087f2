"""GET /jobs/{jobId} returns the job to its owner only, until it expires."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api_user import ApiUser, broken_rules, data_of, refusal
from tests.apps.suggestions.requests import FIELDS


def test_the_owner_gets_the_jobs_input_and_result(user: ApiUser) -> None:
    body = {"pipeline": "suggestion", "input": FIELDS, "links": {"sessionId": "s-1", "projectId": "shop"}}
    created = user.api.post("/jobs", json=body)
    job_id = data_of(created, 202)["jobId"]

    job = user.ended(job_id)

    assert job["status"] == "completed"
    assert job["input"] == FIELDS
    assert job["links"] == {"sessionId": "s-1", "runId": None, "projectId": "shop"}
    assert job["requestId"] == created.json()["meta"]["requestId"]
    assert (job["progress"], job["attempt"], job["retryCount"]) == (100, 1, 0)
    assert job["failure"] is job["lastFault"] is None
    assert job["usage"]["inputTokens"] > 0
    assert job["usage"]["outputTokens"] > 0
    assert job["createdAt"] <= job["startedAt"] <= job["endedAt"] <= job["expiresAt"]
    assert job["statusUrl"] == f"{user.stack.api_url}/jobs/{job_id}"
    assert job["result"]["suggestions"][0].keys() == {
        "title",
        "rationale",
        "description",
        "implementationConsiderations",
    }


@pytest.mark.parametrize(
    "job_id", ["job_01jd8x2v5n7k3q9w4t6y8z0abc", "job_", "nonsense", "job_" + "I" * 26, "%00", "%F0%9F%98%80", "%2e%2e"]
)
def test_an_unknown_job_is_not_found(user: ApiUser, job_id: str) -> None:
    refusal(user.api.get(f"/jobs/{job_id}"), 404, "NOT_FOUND")


def test_an_id_that_is_too_long_is_refused(user: ApiUser) -> None:
    assert broken_rules(user.api.get(f"/jobs/{'j' * 65}")).keys() == {"jobId"}


def test_another_users_job_is_forbidden(new_user: Callable[[], ApiUser]) -> None:
    job_id = new_user().new_job()

    refusal(new_user().api.get(f"/jobs/{job_id}"), 403, "FORBIDDEN")


def test_include_accepts_only_stack_trace(user: ApiUser) -> None:
    response = user.api.get(f"/jobs/{user.new_job()}", params={"include": "everything"})

    assert broken_rules(response) == {"include": "must be 'stackTrace'"}


def test_no_operation_finds_an_expired_job(user: ApiUser) -> None:
    job_id = user.new_job()
    user.ended(job_id)
    user.stack.expire(job_id)

    refusal(user.api.get(f"/jobs/{job_id}"), 404, "NOT_FOUND")
    refusal(user.cancel(job_id), 404, "NOT_FOUND")
    refusal(user.api.post(f"/jobs/{job_id}/stream-tickets"), 404, "NOT_FOUND")
    refusal(user.stream_refused(job_id), 404, "NOT_FOUND")
    refusal(user.stream_refused(job_id, after="3"), 404, "NOT_FOUND")
    assert user.jobs() == []


def test_an_unknown_path_is_not_found(user: ApiUser) -> None:
    refusal(user.api.get("/nowhere"), 404, "NOT_FOUND")
    refusal(user.streams.get("/"), 404, "NOT_FOUND")
