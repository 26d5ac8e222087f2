"""The stage that validates the model's output."""

from __future__ import annotations

from tests.api_user import ApiUser, wait_until
from tests.fixtures.invocations import Invoke


def test_the_stage_returns_the_output_as_suggestions(user: ApiUser) -> None:
    job_id = user.new_job()
    result = user.ended(job_id)["result"]
    assert len(result["suggestions"]) == 3
    for suggestion in result["suggestions"]:
        assert suggestion.keys() == {"title", "rationale", "description", "implementationConsiderations"}


def test_the_stage_does_not_start_before_the_output_is_complete(user: ApiUser, invoke: Invoke) -> None:
    job_id = user.new_job("hang_after=1, token_ms=0, first_token_ms=0")
    wait_until(lambda: user.job(job_id)["text"])
    assert invoke("validate_suggestions", jobId=job_id, generation=1, retry=0)["errorType"] == "InternalFault"
    assert user.cancel(job_id).status_code == 200
