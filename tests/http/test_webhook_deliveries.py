"""A job's owner is told of it by signed requests, sees them, and has them sent again."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.api_user import ApiUser, broken_rules, data_of, refusal, wait_until
from tests.webhooks.receiver import OK, Receiver, answering

UNKNOWN = f"whk_{'0' * 26}"
BEFORE = datetime(2020, 1, 1, tzinfo=UTC).isoformat()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that answers 503 to the first request and accepts all others."""
    answers: list[Callable[[socket.socket], None]] = [
        answering(b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
    ]

    def answer(connection: socket.socket) -> None:
        (answers.pop() if answers else answering(OK))(connection)

    with Receiver(answer).serving() as started:
        yield started


def sent(request: bytes) -> tuple[dict[str, str], str]:
    """Return the headers and the body of a request."""
    head, _, body = request.decode().partition("\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:]), body


def delivered(user: ApiUser, webhook: str) -> Any:
    """Return the only delivery to the webhook, once it was delivered."""
    [found] = data_of(user.api.get(f"{webhook}/deliveries", params={"status": "delivered"}))["deliveries"] or [None]
    return found


def test_the_end_of_a_job_reaches_its_receiver_in_a_signed_request_and_can_be_replayed(
    user: ApiUser, receiver: Receiver
) -> None:
    body = {"url": f"http://127.0.0.1:{receiver.port}/hook", "eventTypes": ["job.completed"], "include": ["result"]}
    made = data_of(user.api.post("/webhooks", json=body), 201)
    webhook = f"/webhooks/{made['webhookId']}"
    job_id = user.new_job()
    job = user.ended(job_id)

    delivery = wait_until(lambda: delivered(user, webhook))

    assert delivery["jobId"] == job_id
    assert [each["statusCode"] for each in delivery["attempts"]] == [503, 200]
    requests = [sent(each) for each in receiver.requests]
    assert len({(headers["webhook-id"], told) for headers, told in requests}) == 1
    headers, told = requests[-1]
    event = Webhook(made["secret"]).verify(told, headers)
    assert (headers["webhook-id"], event["type"]) == (delivery["eventId"], "job.completed")
    assert event["data"]["result"] == job["result"]
    assert event["data"]["url"].endswith(f"/jobs/{job_id}")

    one = f"{webhook}/deliveries/{delivery['deliveryId']}"
    assert data_of(user.api.get(one)) == {**delivery, "body": told}
    again = data_of(user.api.post(f"{one}/replay"))
    assert (again["status"], again["eventId"]) == ("pending", delivery["eventId"])
    wait_until(lambda: data_of(user.api.get(one))["attemptCount"] == 3)
    assert sent(receiver.requests[-1])[1] == told
    recovered = data_of(user.api.post(f"{webhook}/recover", json={"since": delivery["createdAt"]}))
    assert recovered == {"recovered": 0, "cursor": None}
    assert json.loads(told) == event


def test_deliveries_are_shown_to_the_owner_of_their_webhook_only(
    user: ApiUser, new_user: Callable[[], ApiUser]
) -> None:
    other = new_user()
    webhook = f"/webhooks/{other.new_webhook()}"
    delivery = f"{webhook}/deliveries/dlv_{'0' * 26}"
    for path in (f"{webhook}/deliveries", delivery):
        refusal(user.api.get(path), 404, "NOT_FOUND")
    refusal(user.api.post(f"{delivery}/replay"), 404, "NOT_FOUND")
    refusal(user.api.post(f"{webhook}/recover", json={"since": BEFORE}), 404, "NOT_FOUND")
    refusal(other.api.post(f"{delivery}/replay"), 404, "NOT_FOUND")
    assert data_of(other.api.get(f"{webhook}/deliveries")) == {"deliveries": [], "cursor": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "lost"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"state": "failed"}, "state"),
    ],
)
def test_a_wrong_query_is_refused(user: ApiUser, query: dict[str, str], field: str) -> None:
    response = user.api.get(f"/webhooks/{user.new_webhook()}/deliveries", params=query)
    assert field in broken_rules(response)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-21T09:00:00"}, "since"),
        ({"since": BEFORE}, "since"),
        ({"since": "2199-01-01T00:00:00Z"}, "since"),
        ({"since": datetime.now(UTC).isoformat(), "cursor": "x"}, "cursor"),
        ({"since": datetime.now(UTC).isoformat(), "until": "now"}, "until"),
    ],
)
def test_a_wrong_recovery_is_refused(user: ApiUser, body: dict[str, str], field: str) -> None:
    response = user.api.post(f"/webhooks/{user.new_webhook()}/recover", json=body)
    assert field in broken_rules(response)


def test_nothing_is_sent_again_to_a_disabled_webhook(user: ApiUser) -> None:
    webhook = f"/webhooks/{user.new_webhook()}"
    data_of(user.api.patch(webhook, json={"status": "disabled"}))
    response = user.api.post(f"{webhook}/recover", json={"since": datetime.now(UTC).isoformat()})
    assert "enable it first" in refusal(response, 409, "CONFLICT")["message"]
