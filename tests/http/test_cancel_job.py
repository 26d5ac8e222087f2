"""POST /jobs/{jobId}/cancel ends the job, its execution, its model call and its stream within a second."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.model.control import ModelControl
from tests.api_user import ApiUser, data_of, ended_execution, fold, refusal, wait_until


@pytest.mark.parametrize("tokens", [0, 5])
def test_a_cancellation_ends_a_silent_model_call_and_the_stream(
    user: ApiUser, model: ModelControl, tokens: int
) -> None:
    job_id = user.new_job(f"first_token_ms=0, token_ms=0, hang_after={tokens}")
    page = user.job(job_id)["input"]["pageOrComponent"]

    def of_this_job(record: dict[str, Any]) -> bool:
        return any(page in message["content"] for message in record["messages"])

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(user.watch, job_id)
        model.wait_for_request(lambda record: of_this_job(record) and record["tokens_sent"] == tokens)
        wait_until(lambda: bool(user.job(job_id)["text"]) == bool(tokens))
        response = data_of(user.cancel(job_id))
        call = model.wait_for_request(lambda record: of_this_job(record) and record["ended"] is not None)
        events = watching.result()

    assert response["status"] == "cancelled"
    assert call["ended"] == "client_disconnected"
    assert events[-1].type == "cancelled"
    assert events[-1].data["usage"]["unreportedCalls"] == 1
    wait_until(lambda: user.job(job_id)["usage"]["unreportedCalls"] == 1)  # the attempt counts its call when it stops
    job = user.job(job_id)
    assert job["status"] == "cancelled"
    assert job["text"] == fold(events)
    assert job["endedAt"] is not None


def test_a_cancellation_stops_the_jobs_execution(user: ApiUser) -> None:
    job_id = user.new_job("hang_after=0")
    wait_until(lambda: user.job(job_id)["status"] == "in_progress")
    user.cancel(job_id)
    arn = user.job(job_id)["executionArn"]
    execution = ended_execution(user.stack, arn)

    # Either the API's stop comes first, or the stage ends first because it can no longer append to the log.
    assert execution["status"] in {"ABORTED", "FAILED"}
    entered = [event for event in user.stack.history(arn) if event["type"].endswith("StateEntered")]
    assert {event["stateEnteredEventDetails"]["name"] for event in entered} <= {"GenerateSuggestions", "AttemptStopped"}


def test_a_second_cancellation_changes_nothing(user: ApiUser) -> None:
    job_id = user.new_job("hang_after=0")

    first, second = (data_of(user.cancel(job_id)) for _ in range(2))

    assert first == second
    assert [event.type for event in user.watch(job_id)].count("cancelled") == 1


def test_a_completed_job_cannot_be_cancelled(user: ApiUser) -> None:
    job_id = user.new_job()
    user.watch(job_id)
    before = user.job(job_id)

    error = refusal(user.cancel(job_id), 409, "CONFLICT")

    assert "completed" in error["message"]
    assert user.job(job_id) == before


def test_a_user_cannot_cancel_another_users_job(new_user: Callable[[], ApiUser]) -> None:
    owner = new_user()
    job_id = owner.new_job()

    refusal(new_user().cancel(job_id), 403, "FORBIDDEN")

    assert owner.ended(job_id)["status"] == "completed"


@pytest.mark.parametrize("job_id", ["job_01jd8x2v5n7k3q9w4t6y8z0abc", "nonsense", "%00"])
def test_an_unknown_job_cannot_be_cancelled(user: ApiUser, job_id: str) -> None:
    refusal(user.cancel(job_id), 404, "NOT_FOUND")


def test_the_api_accepts_an_empty_form_as_no_body(user: ApiUser) -> None:
    """`curl -X POST -d ''` sends the content type of a form."""
    job_id = user.new_job("hang_after=0")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert data_of(user.api.post(f"/jobs/{job_id}/cancel", content=b"", headers=form))["status"] == "cancelled"
