"""The stage that calls the model: late, old and killed attempts do not spoil the job."""

from __future__ import annotations

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, fold, wait_until
from tests.fixtures.invocations import Invoke, watch_and_kill

UNKNOWN = "job_" + "0" * 26


def test_a_stage_of_an_unknown_job_ends(invoke: Invoke) -> None:
    assert invoke("generate_suggestions", jobId=UNKNOWN, generation=1, retry=0)["errorType"] == "JobEnded"


def test_a_late_attempt_of_an_ended_job_ends_and_writes_nothing(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job()
    before = user.watch(job_id)
    assert invoke("generate_suggestions", jobId=job_id, generation=1, retry=1)["errorType"] == "JobEnded"
    assert user.watch(job_id) == before


def test_an_attempt_of_another_generation_cannot_write(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job("first_token_ms=600, token_ms=1")
    wait_until(lambda: user.job(job_id)["stage"] == "generate_suggestions")
    stale = invoke("generate_suggestions", jobId=job_id, generation=0, retry=5)
    assert stale["errorType"] == "ValidationError"
    other = invoke("generate_suggestions", jobId=job_id, generation=2, retry=0)
    assert other["errorType"] == "AttemptSuperseded"
    assert user.ended(job_id)["status"] == "completed"
    assert user.job(job_id)["retryCount"] == 0


def test_the_watcher_of_a_killed_and_retried_stage_sees_one_reset_and_no_repeated_text() -> None:
    with LocalStack("processes") as stack, ModelControl(stack.model_url) as model:
        user = ApiUser(stack)
        job_id = user.new_job("first_token_ms=0, token_ms=10, times=1")
        events = watch_and_kill(stack, user, job_id, after_deltas=3)
        job = user.job(job_id)
        user.close()

        assert job["status"] == "completed"
        assert job["retryCount"] == 1
        (reset,) = [each.data for each in events if each.type == "reset"]
        assert (reset["text"], reset["reason"], reset["attempt"]) == ("", "WORKER_LOST", 2)
        assert [each.id for each in events if each.id] == list(range(1, job["lastEventId"] + 1))
        assert fold(events) == job["text"]
        assert len(model.requests()) == 2
