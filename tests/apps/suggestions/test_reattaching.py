"""A killed stage re-attaches to its model response: one model call, and no watcher loses or repeats a text."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, fold, wait_until
from tests.follower import Log, channel_of, read, topic_of
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT

ENVIRONMENT = {"MODEL_API": "responses", **WITHOUT_TOKEN_TIMEOUT, "STREAM_WINDOW_SECONDS": "3600"}
"""The times are longer than any of this test."""


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack("processes", environment=ENVIRONMENT, allowance=ALLOWANCE) as running:
        yield running


def test_a_killed_stage_re_attaches_to_the_running_response(stack: LocalStack, user: ApiUser) -> None:
    with ModelControl(stack.model_url) as model, ThreadPoolExecutor(1) as pool:
        job_id = user.new_job("first_token_ms=0, token_ms=0, pause_after=50")
        watching = pool.submit(user.watch, job_id)
        wait_until(lambda: user.job(job_id)["text"])
        os.kill(user.attempt_of(job_id)["pid"], signal.SIGKILL)
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


def test_a_ping_brings_the_event_that_a_killed_stage_has_stored_but_not_sent(stack: LocalStack, user: ApiUser) -> None:
    job_id, log = user.new_job("first_token_ms=0, token_ms=0, pause_after=20"), Log()
    topic = topic_of(job_id)
    wait_until(lambda: user.job(job_id)["text"])
    with channel_of(user) as channel:
        channel.answer(channel.send("subscribe", topic=topic, after=0))
        # For its first second a subscription reads the log itself.
        wait_until(lambda: [each["ended"] for each in stack.invocations('subscribe\\",')] == [True])
        with stack.holding("PutItem", "EVT#", job_id, executed=True) as held:
            user.release(job_id)
            wait_until(held)
            number = user.job(job_id)["lastEventId"]
            os.kill(user.attempt_of(job_id)["pid"], signal.SIGKILL)
            channel.send("ping", positions={topic: log.last})
            while log.last < number:
                message = channel.receive()
                log.receive(message.get("events", ()))
        read(channel, topic, log, [])
    user.ended(job_id)
    assert log.events == [event for event in user.watch(job_id) if event.id is not None]
