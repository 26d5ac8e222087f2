"""The verdict about webhooks finds each broken promise in requests that keep them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from shared.jobs.ids import ulid_of
from shared.storage import keys
from tests.chaos.plan import Moment, make_plan
from tests.chaos.story import JobStory
from tests.chaos.watcher import Sights, Watcher
from tests.chaos.webhook_receiver import Behaviour, Request, WebhookReceiver
from tests.chaos.webhook_verdict import (
    Closed,
    Endpoint,
    delivery_mark,
    secrets_in,
    transitions_of,
    violations_of_endpoints,
    violations_of_job,
)

JOB = "job_a01m7c000000000000000000000"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TYPES = {
    "1_pending": "job.created",
    "1_in_progress": "job.started",
    "1_failed": "job.failed",
    "2_pending": "job.resumed",
    "2_completed": "job.completed",
}
"""The events of a job that failed and was resumed."""


def event_id(change: str) -> str:
    return f"evt_{ulid_of(JOB)}_{change}"


def request(change: str, **fields: object) -> Request:
    generation, status = change.split("_", 1)
    data = {"jobId": JOB, "generation": int(generation), "status": status}
    sent = Request(event_id(change), json.dumps({"type": TYPES[change], "data": data}).encode(), 200)
    return replace(sent, **fields)  # type: ignore[arg-type]


@pytest.fixture
def story() -> JobStory:
    plan = make_plan(1, 1).jobs[0]
    watcher = Watcher(None, "", "steady", "", replace(plan.steady, joins=Moment("end")), Sights(bool))  # type: ignore[arg-type]
    stored = {keys.JOB: {"generation": 2, "status": "completed"}}
    return JobStory(plan, JOB, "page", 0, [watcher], [], [], stored=stored)


@pytest.fixture
def endpoint() -> Endpoint:
    made = Endpoint("whk_1", "one", "ada", "accepts", frozenset({*TYPES.values(), "job.cancelled"}), SECRET, "/")
    made.jobs.add(JOB)
    made.requests = [*map(request, TYPES), request("1_failed")]
    return made


def found(story: JobStory, endpoint: Endpoint) -> list[str]:
    return [*violations_of_job(story, [endpoint]), *violations_of_endpoints([endpoint])]


def test_an_endpoint_that_was_told_of_everything_is_right(story: JobStory, endpoint: Endpoint) -> None:
    assert {*transitions_of(story).required} == {event_id(each) for each in ("1_pending", "2_pending", "2_completed")}
    assert found(story, endpoint) == []


def _without(change: str) -> Callable[[Endpoint], None]:
    def drop(endpoint: Endpoint) -> None:
        endpoint.requests = [each for each in endpoint.requests if each.event_id != event_id(change)]

    return drop


def _refusing(endpoint: Endpoint) -> None:
    endpoint.requests = [replace(each, answer=500) for each in endpoint.requests]


def _with(*requests: Request) -> Callable[[Endpoint], None]:
    def add(endpoint: Endpoint) -> None:
        endpoint.requests = [*endpoint.requests, *requests]

    return add


def _wanting_less(endpoint: Endpoint) -> None:
    endpoint.event_types -= {"job.started"}


def _closed(endpoint: Endpoint) -> None:
    endpoint.closed = Closed(len(endpoint.requests) - 2, {delivery_mark(endpoint.id, event_id("1_failed")): 1})


def _closed_before_a_second_attempt(endpoint: Endpoint) -> None:
    endpoint.closed = Closed(0, {delivery_mark(endpoint.id, event_id(each)): 1 for each in TYPES})


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (_without("2_completed"), f"has not accepted {event_id('2_completed')}"),
        (_without("1_failed"), "1_cancelled or"),
        (_refusing, "has not accepted"),
        (_wanting_less, "which it does not want"),
        (_with(request("1_pending", event_id="evt_other")), "was told of evt_other"),
        (_with(request("2_completed", event_id=event_id("2_failed"))), "2_failed, which did not happen"),
        (_with(request("1_failed", event_id=event_id("1_cancelled"))), "several ends"),
        (_with(request("1_failed", event_id=event_id("2_pending"))), "was told ('job.failed', 1, 'failed')"),
        (_with(replace(request("1_failed"), body=request("1_failed").body + b" ")), "different bodies"),
        (_with(request("1_failed", problem="no")), "is not valid: no"),
        (_with(request("1_failed", answer=410)), "is not disabled"),
        (_closed, "2_completed after it was closed"),
        (_closed_before_a_second_attempt, "1_failed after it was closed"),
    ],
)
def test_each_broken_promise_is_found(
    story: JobStory, endpoint: Endpoint, broken: Callable[[Endpoint], None], complaint: str
) -> None:
    broken(endpoint)
    assert any(complaint in each for each in found(story, endpoint)), found(story, endpoint)


def test_a_secret_in_a_log_is_found(endpoint: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "quiet.log").write_text("nothing")
    assert [*secrets_in(tmp_path, [endpoint])] == []
    (tmp_path / "loud.log").write_text(f"the secret is {SECRET}")
    assert [*secrets_in(tmp_path, [endpoint])] == ["loud.log contains the secret of webhook one"]


def test_the_receiver_verifies_and_answers_as_the_endpoint_says() -> None:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("evt_1", now, "{}"),
    }
    with WebhookReceiver().serving() as receiver, httpx.Client(trust_env=False, verify=False) as client:
        url = receiver.open("one", Behaviour(500, times=1))
        receiver.verify_with("one", SECRET)
        assert [client.post(url, headers=headers, content=body).status_code for body in (b"{}", b"{ }")] == [500, 200]
        url = receiver.open("two", Behaviour("close", times=1))
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(url, headers=headers, content=b"{}")
        first, second = receiver.requests_to("one")
        assert (first.event_id, first.problem) == ("evt_1", None)
        assert second.problem is not None
        assert [each.answer for each in receiver.requests_to("two")] == ["close"]
