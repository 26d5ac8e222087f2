"""POST /ideations: valid input creates a run, and invalid input is refused with its fields."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import AT_ONCE, ApiUser, broken_rules, data_of, refusal, until_refused
from tests.apps.ideation.requests import RUN, get_run


def test_the_response_has_the_urls_of_the_new_run_and_its_job(user: ApiUser) -> None:
    response = user.api.post("/ideations", json={**RUN, "requirements": f"[[script: {AT_ONCE}]]"})

    run = data_of(response, 202)
    assert run == {
        "runId": run["runId"],
        "jobId": run["jobId"],
        "status": "running",
        "runUrl": f"{user.stack.api_url}/ideations/{run['runId']}",
        "activeJobUrl": f"{user.stack.api_url}/ideations/{run['runId']}/active-job",
        "statusUrl": f"{user.stack.api_url}/jobs/{run['jobId']}",
        "streamUrl": f"{user.stack.stream_url}/jobs/{run['jobId']}/stream",
    }
    assert response.headers["location"] == run["runUrl"]
    assert response.json()["meta"]["entity"] == "run"
    assert user.job(run["jobId"])["links"]["runId"] == run["runId"]


def test_a_repeat_with_the_same_key_returns_the_same_run(user: ApiUser) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    body = {**RUN, "requirements": f"[[script: {AT_ONCE}]]"}

    first, second = (data_of(user.api.post("/ideations", json=body, headers=headers), 202) for _ in range(2))

    assert first["runId"] == second["runId"]
    assert first["jobId"] == second["jobId"]
    other = user.api.post("/ideations", json={**body, "ideaCount": 3}, headers=headers)
    refusal(other, 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ({"genreProportions": [50, 40]}, {"genreProportions": "must sum to 100; 50 + 40 is 90"}),
        (
            {"genreProportions": [100]},
            {
                "genreProportions": "must have one entry per genre path; there are 2 paths and 1 proportion; "
                "`Fiction > Mystery > Cozy` has none"
            },
        ),
        (
            {"genrePaths": [["Puzzle"], [" puzzle "]]},
            {"genrePaths": "must contain each path once; `puzzle` is repeated"},
        ),
        (
            {"agentId": "agt_unknown"},
            {"agentId": "must be the id of one of your agents; you have no agent with this id"},
        ),
        ({"links": {"runId": "mine"}}, {"links": "is not a known field"}),
        ({"genre_paths": [["A"]]}, {"genre_paths": "is not a known field"}),
    ],
)
def test_an_invalid_field_is_refused_with_its_rule(
    user: ApiUser, fields: dict[str, Any], rules: dict[str, str]
) -> None:
    assert broken_rules(user.api.post("/ideations", json={**RUN, **fields})) == rules


def test_a_model_that_is_not_available_is_refused_with_the_available_ones(user: ApiUser) -> None:
    rules = broken_rules(user.api.post("/ideations", json={**RUN, "customModel": "other-9"}))
    assert rules["customModel"].startswith("must be one of: ")


def test_a_refused_request_creates_no_run(user: ApiUser) -> None:
    broken_rules(user.api.post("/ideations", json={**RUN, "genreProportions": [1, 2]}))
    assert data_of(user.api.get("/ideations"))["runs"] == []


def test_a_job_of_the_jobs_api_creates_a_run_and_cannot_name_one(user: ApiUser) -> None:
    body: dict[str, Any] = {"pipeline": "ideation", "input": {**RUN, "requirements": f"[[script: {AT_ONCE}]]"}}
    job_id = data_of(user.api.post("/jobs", json=body), 202)["jobId"]
    run_id = user.ended(job_id)["links"]["runId"]
    assert len(get_run(user, run_id)["ideas"]) == 10

    named = user.api.post("/jobs", json={**body, "links": {"runId": run_id}})
    assert broken_rules(named) == {"links.runId": "must be omitted, because each job of this pipeline gets a new run"}


def test_creating_runs_counts_against_the_limit_of_job_creations(new_hurried_user: Callable[[], ApiUser]) -> None:
    user = new_hurried_user()
    body = {**RUN, "ideaCount": 1, "requirements": f"[[script: {AT_ONCE}]]"}
    _, response = until_refused(lambda: user.api.post("/ideations", json=body), most=10)
    error = refusal(response, 429, "RATE_LIMIT_EXCEEDED")
    assert error["details"]["retryAfterSeconds"] >= 1


def test_a_request_without_a_token_is_unauthenticated(stack: LocalStack, user: ApiUser) -> None:
    refusal(user.api.post("/ideations", json=RUN, headers={"Authorization": ""}), 401, "UNAUTHENTICATED")
