"""A killed stage re-attaches to its model response: one model call, no text lost, none repeated."""

from __future__ import annotations

import os
import signal

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, Event, fold, wait_until


def watch_and_kill(stack: LocalStack, user: ApiUser, job_id: str, *, after_deltas: int) -> list[Event]:
    """Watch the job on one connection, and kill the stage's processes after that number of deltas."""
    events: list[Event] = []
    with user.stream(job_id) as source:
        for sent in source.iter_sse():
            events.append(Event.of(sent))
            if [each.type for each in events].count("delta") == after_deltas and events[-1].type == "delta":
                for pid in stack.processes()["generate_suggestions"]:
                    os.kill(pid, signal.SIGKILL)
    return events


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
