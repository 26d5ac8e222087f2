"""The stage that generates ideas: each is stored when it is complete, and no fault makes the model repeat it."""

from __future__ import annotations

import json
import re
from typing import Any

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser, Event, fold, wait_until
from tests.apps.ideation.requests import new_job
from tests.fixtures.invocations import watch_and_kill


def items_of(events: list[Event]) -> list[dict[str, Any]]:
    return [each.data["data"] for each in events if each.type == "item"]


def asked_for(request: dict[str, Any]) -> dict[str, int]:
    """Return the number of ideas that the prompt asks for, by list."""
    prompt = request["messages"][-1]["content"]
    return {name: int(count) for name, count in re.findall(r"^- (g\d+): (\d+) for ", prompt, re.MULTILINE)}


def requests_of(model: ModelControl, job: dict[str, Any]) -> list[dict[str, Any]]:
    platform = job["input"]["platform"]
    return [each for each in model.requests() if platform in each["messages"][-1]["content"]]


def test_ten_ideas_are_streamed_one_by_one_by_proportion(user: ApiUser, model: ModelControl) -> None:
    events = user.watch(new_job(user))
    job = user.job(str(events[0].data["jobId"]))
    ideas = job["result"]["ideas"]

    assert [idea["number"] for idea in ideas] == list(range(1, 11))
    assert [idea["genrePath"][-1] for idea in ideas] == ["Mystery"] * 5 + ["Sport"] * 3 + ["Music"] * 2
    assert len({idea["title"] for idea in ideas}) == 10
    assert items_of(events) == ideas
    assert fold(events) == job["text"]
    assert [json.loads(line)["title"] for line in job["text"].splitlines()] == [idea["title"] for idea in ideas]
    assert [asked_for(each) for each in requests_of(model, job)] == [{"g1": 5, "g2": 3, "g3": 2}]


def test_a_retry_after_a_disconnection_asks_only_for_the_missing_ideas(user: ApiUser, model: ModelControl) -> None:
    events = user.watch(new_job(user, "disconnect_after=330, times=1, token_ms=0, first_token_ms=0"))
    job = user.job(str(events[0].data["jobId"]))
    first, retried = requests_of(model, job)

    assert (job["status"], job["retryCount"]) == ("completed", 1)
    (position,) = [number for number, each in enumerate(events) if each.type == "reset"]
    kept = items_of(events[:position])
    assert 0 < len(kept) < 10
    assert sum(asked_for(first).values()) == 10
    assert sum(asked_for(retried).values()) == 10 - len(kept)
    assert all(f"- {idea['title']}" in retried["messages"][-1]["content"] for idea in kept)
    assert events[position].data["text"].count("\n") == len(kept)
    assert items_of(events) == job["result"]["ideas"]
    assert fold(events) == job["text"]


def test_a_killed_stage_re_attaches_to_its_response_in_the_middle_of_an_idea() -> None:
    with (
        LocalStack("processes", environment={"MODEL_API": "responses"}) as stack,
        ModelControl(stack.model_url) as model,
    ):
        user = ApiUser(stack)
        job_id = new_job(user, "first_token_ms=0, token_ms=4")
        events = watch_and_kill(stack, user, job_id, function="generate_ideas", after_deltas=9)
        job = user.job(job_id)
        user.close()

        assert (job["status"], job["retryCount"]) == ("completed", 1)
        (response,) = model.requests()
        assert len(response["watchers"]) == 2
        assert items_of(events) == job["result"]["ideas"]
        assert fold(events) == job["text"]
        assert len(job["text"].splitlines()) == 10


def test_a_resumed_job_keeps_its_ideas_and_asks_only_for_the_missing_ones(user: ApiUser, model: ModelControl) -> None:
    job_id = new_job(user, "hang_after=330, times=1, token_ms=0, first_token_ms=0")
    wait_until(lambda: user.job(job_id)["items"])
    assert user.cancel(job_id).status_code == 200
    cancelled = user.job(job_id)
    assert cancelled["status"] == "cancelled"

    assert user.api.post(f"/jobs/{job_id}/resume").status_code == 202

    job = user.ended(job_id)
    kept = [item["data"] for item in cancelled["items"]]
    assert job["result"]["ideas"][: len(kept)] == kept
    assert len(job["text"].splitlines()) == 10
    assert [sum(asked_for(each).values()) for each in requests_of(model, job)] == [10, 10 - len(kept)]
