"""What webhooks do over HTTP that no handler alone shows: their limit under concurrency, and test events."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from shared.webhooks.service import ENDPOINTS_PER_OWNER
from tests.api_user import DISCARDING_URL, ApiUser, data_of, refusal

UNKNOWN = f"whk_{'0' * 26}"


def test_of_21_webhooks_that_are_created_at_once_20_are_stored(user: ApiUser) -> None:
    def create(_: int) -> httpx.Response:
        return user.api.post("/webhooks", json={"url": DISCARDING_URL, "eventTypes": ["job.completed"]})

    with ThreadPoolExecutor(ENDPOINTS_PER_OWNER + 1) as pool:
        responses = list(pool.map(create, range(ENDPOINTS_PER_OWNER + 1)))

    assert [each.status_code for each in responses].count(201) == ENDPOINTS_PER_OWNER
    [refused] = [each for each in responses if each.status_code != 201]
    assert refusal(refused, 409, "CONFLICT")["message"] == "you have 20 webhooks, which is the limit; delete one first"
    made = {data_of(each, 201)["webhookId"] for each in responses if each is not refused}
    listed = [each["webhookId"] for each in data_of(user.api.get("/webhooks"))["webhooks"]]
    assert listed == sorted(made, reverse=True)


def test_a_test_event_is_a_delivery_of_its_webhook(user: ApiUser) -> None:
    webhook = f"/webhooks/{user.new_webhook()}"

    sent = data_of(user.api.post(f"{webhook}/test"), 202)

    assert (sent["eventType"], sent["jobId"], sent["status"]) == ("webhook.test", None, "pending")
    read = data_of(user.api.get(f"{webhook}/deliveries/{sent['deliveryId']}"))
    assert read["eventId"] == sent["eventId"]
    assert '"type":"webhook.test"' in read["body"]


def test_no_test_event_is_sent_to_a_webhook_that_is_disabled_or_unknown(user: ApiUser) -> None:
    webhook = f"/webhooks/{user.new_webhook()}"
    data_of(user.api.patch(webhook, json={"status": "disabled"}))
    error = refusal(user.api.post(f"{webhook}/test"), 409, "CONFLICT")
    assert (error["details"]["state"], error["details"]["allowed"]) == ("disabled", ["enabled", "paused"])
    refusal(user.api.post(f"/webhooks/{UNKNOWN}/test"), 404, "NOT_FOUND")
