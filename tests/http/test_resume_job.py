"""POST /jobs/{jobId}/resume starts a new execution that continues at the last checkpoint."""

from __future__ import annotations

from collections.abc import Callable

from local.model.control import ModelControl
from tests.api_user import AT_ONCE, ApiUser, data_of, fold, refusal, wait_until


def test_a_job_that_failed_in_validation_resumes_without_generating_again(user: ApiUser, model: ModelControl) -> None:
    """The output does not fit and its repair is refused; the resumed job calls the model for the repair only."""
    model.script(match="does not fit", times=1, status=400)
    job_id = user.new_job("invalid_json, token_ms=0, first_token_ms=0, times=1")
    prompt = user.job(job_id)["input"]["pageOrComponent"]
    before = user.watch(job_id)
    failed = user.ended(job_id)
    assert (failed["status"], failed["failure"]["code"]) == ("failed", "MODEL_REJECTED_REQUEST")

    response = user.api.post(f"/jobs/{job_id}/resume")
    assert data_of(response, 202)["status"] == "pending"
    after = user.watch(job_id, after=before[-1].id)
    job = user.ended(job_id)

    assert job["status"] == "completed"
    assert after[1].type == "reset"
    assert after[1].data["reason"] == "RESUMED"
    assert fold([*before, *after]) == job["text"]
    asked = [request for request in model.requests() if prompt in str(request)]
    assert len(asked) == 3  # the output once, its repair twice


def test_a_new_watcher_of_a_resumed_job_gets_one_text_and_one_terminal_event(user: ApiUser) -> None:
    job_id = user.new_job("hang_after=3, token_ms=0, first_token_ms=0, times=1")
    wait_until(lambda: user.job(job_id)["text"])
    assert user.cancel(job_id).status_code == 200
    assert user.api.post(f"/jobs/{job_id}/resume").status_code == 202
    job = user.ended(job_id)
    assert job["status"] == "completed"
    seen = user.watch(job_id)
    assert [event.type for event in seen[:3]] == ["connected", "snapshot", "reset"]
    assert [event.type for event in seen if event.type in {"complete", "cancelled", "error"}] == ["complete"]
    assert fold(seen) == job["text"]


def test_a_job_that_cannot_be_resumed_is_refused(user: ApiUser, new_user: Callable[[], ApiUser]) -> None:
    done = user.new_job(AT_ONCE)
    user.ended(done)
    refusal(user.api.post(f"/jobs/{done}/resume"), 409, "CONFLICT")
    refusal(user.api.post(f"/jobs/job_{'0' * 26}/resume"), 404, "NOT_FOUND")
    other = new_user()
    refusal(other.api.post(f"/jobs/{done}/resume"), 403, "FORBIDDEN")
