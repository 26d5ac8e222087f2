"""A killed stage re-attaches to its model response: one model call, no text lost, none repeated."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, fold, wait_until
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT

ENVIRONMENT = {"MODEL_API": "responses", **WITHOUT_TOKEN_TIMEOUT, "STREAM_WINDOW_SECONDS": "3600"}
"""The times are longer than any of this test."""


def test_a_killed_stage_re_attaches_to_the_running_response() -> None:
    with (
        LocalStack("processes", environment=ENVIRONMENT, allowance=ALLOWANCE) as stack,
        ModelControl(stack.model_url) as model,
        ThreadPoolExecutor(1) as pool,
    ):
        user = ApiUser(stack)
        job_id = user.new_job("first_token_ms=0, token_ms=0, pause_after=50")
        watching = pool.submit(user.watch, job_id)
        wait_until(lambda: user.job(job_id)["text"])
        (running,) = [each for each in stack.invocations(f'"{job_id}"') if not each["ended"]]
        os.kill(running["pid"], signal.SIGKILL)
        wait_until(lambda: len(model.requests()[0]["watchers"]) == 2)
        user.release(job_id)
        events = watching.result()
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
