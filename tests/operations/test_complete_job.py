"""The state that completes a job: however often it runs, the job is completed once."""

from __future__ import annotations

from tests.api_user import AT_ONCE, ApiUser
from tests.fixtures.invocations import Invoke


def test_completing_a_completed_job_again_changes_nothing(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job(AT_ONCE)
    seen = user.watch(job_id)  # to its last event, which is appended after the job has ended
    completed = user.job(job_id)
    answer = invoke("complete_job", jobId=job_id, generation=1, retry=1)
    assert answer == {"jobId": job_id, "stage": "complete_job", "status": "done"}
    assert user.job(job_id) == completed
    assert user.watch(job_id) == seen


def test_a_cancelled_job_is_not_completed(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job("hang_after=0")
    assert user.cancel(job_id).status_code == 200
    assert invoke("complete_job", jobId=job_id, generation=1, retry=0)["errorType"] == "JobEnded"
    assert user.job(job_id)["status"] == "cancelled"


def test_an_execution_that_is_not_the_jobs_completes_nothing(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job("hang_after=0")
    assert invoke("complete_job", jobId=job_id, generation=2, retry=0)["errorType"] == "AttemptSuperseded"
    assert user.cancel(job_id).status_code == 200
