"""A killed stage re-attaches to its model response: one model call, no text lost, none repeated."""

from __future__ import annotations

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, fold, wait_until
from tests.fixtures.invocations import watch_and_kill


def test_a_killed_stage_re_attaches_to_the_running_response() -> None:
    with (
        LocalStack("processes", environment={"MODEL_API": "responses"}) as stack,
        ModelControl(stack.model_url) as model,
    ):
        user = ApiUser(stack)
        job_id = user.new_job("first_token_ms=0, token_ms=10")
        events = watch_and_kill(stack, user, job_id, after_deltas=5)
        job = user.job(job_id)

        assert (job["status"], job["retryCount"]) == ("completed", 1)
        (position,) = [number for number, each in enumerate(events) if each.type == "reset"]
        assert events[position].data["text"] == fold(events[:position]) != ""
        assert fold(events) == job["text"]
        (response,) = model.requests()
        assert len(response["watchers"]) == 2

        hanging = user.new_job("hang_after=3, first_token_ms=0, token_ms=0")
        wait_until(lambda: user.job(hanging)["text"])
        assert user.cancel(hanging).status_code == 200
        wait_until(lambda: model.requests()[-1]["ended"] == "cancelled")
        user.close()
