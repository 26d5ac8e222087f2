"""The state that records why a job failed."""

from __future__ import annotations

import json

from tests.api_user import AT_ONCE, ApiUser
from tests.fixtures.invocations import Invoke


def test_a_failure_is_recorded_once_with_its_stack_trace_kept_apart(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job("hang_after=0")
    cause = json.dumps({"errorType": "KeyError", "errorMessage": "secret", "stackTrace": ["  line 1\n"]})
    failure = {"Error": "KeyError", "Cause": cause}
    for _ in range(2):
        answer = invoke("record_failure", jobId=job_id, generation=1, failure=failure)
        assert answer["status"] == "done"
    job = user.job(job_id)
    assert (job["status"], job["failure"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert job["failure"].get("stackTrace") is None
    shown = user.api.get(f"/jobs/{job_id}", params={"include": "stackTrace"}).json()["data"]
    assert shown["failure"]["stackTrace"] == "  line 1\n"
    assert "secret" not in json.dumps(shown)
    assert [event.type for event in user.watch(job_id)].count("error") == 1


def test_a_completed_job_does_not_fail_afterwards(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job(AT_ONCE)
    user.ended(job_id)
    failure = {"Error": "States.Timeout", "Cause": ""}
    assert invoke("record_failure", jobId=job_id, generation=1, failure=failure)["errorType"] == "JobEnded"
    assert user.job(job_id)["status"] == "completed"
