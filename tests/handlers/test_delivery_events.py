"""The functions of deliveries do their work for their events of `events/deliveries/` and for a test event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.jobs.ids import new_job_id
from tests.fixtures.functions import JOB_ID, Handle, envelope, load_event

WEBHOOK_ID = "whk_01jd8x2v5n7k3q9w4t6y8z0abc"
DELIVERY_ID = "dlv_01jd8x2v5n7k3q9w4t6y8z0abc"
COMPLETED_AT = "2026-11-21T09:30:00Z"


@pytest.fixture
def webhook_id(handle: Handle) -> str:
    """The id of a webhook of the events' owner."""
    return str(envelope(handle("create_webhook.valid"), 201)["data"]["webhookId"])


@pytest.fixture
def delivery_id(handle: Handle, webhook_id: str) -> str:
    """The id of the delivery of a job's completion to the webhook."""
    changes = {COMPLETED_AT: datetime.now(UTC).isoformat(), JOB_ID: new_job_id(1_795_253_400_000)}
    assert handle("dispatch_webhooks.job_completed", **about("dispatch_webhooks.job_completed", changes)) == {
        "batchItemFailures": []
    }
    event = about("list_webhook_deliveries.valid", {WEBHOOK_ID: webhook_id})
    listed = {**event, "rawQueryString": "", "queryStringParameters": {}}
    (delivery,) = envelope(handle("list_webhook_deliveries.valid", **listed), 200)["data"]["deliveries"]
    assert (delivery["eventType"], delivery["status"]) == ("job.completed", "pending")
    return str(delivery["deliveryId"])


def about(name: str, ids: dict[str, str]) -> dict[str, Any]:
    """Return the event with these ids."""
    text = json.dumps(load_event(name))
    for example, actual in ids.items():
        text = text.replace(example, actual)
    event: dict[str, Any] = json.loads(text)
    return event


def test_deliveries_are_listed_by_status(handle: Handle, webhook_id: str, delivery_id: str) -> None:
    failed = handle("list_webhook_deliveries.valid", **about("list_webhook_deliveries.valid", {WEBHOOK_ID: webhook_id}))

    assert envelope(failed, 200)["data"]["deliveries"] == []
    assert delivery_id.startswith("dlv_")


def test_a_repeated_record_makes_no_second_delivery(handle: Handle, webhook_id: str) -> None:
    changes = {COMPLETED_AT: datetime.now(UTC).isoformat(), JOB_ID: new_job_id(1_795_253_400_000)}
    record = about("dispatch_webhooks.job_completed", changes)
    for _ in range(2):
        assert handle("dispatch_webhooks.job_completed", **record) == {"batchItemFailures": []}

    event = about("list_webhook_deliveries.valid", {WEBHOOK_ID: webhook_id})
    listed = {**event, "rawQueryString": "", "queryStringParameters": {}}
    assert len(envelope(handle("list_webhook_deliveries.valid", **listed), 200)["data"]["deliveries"]) == 1


@pytest.mark.parametrize("name", ["get_webhook_delivery.valid", "replay_webhook_delivery.valid"])
def test_a_delivery_is_read_and_sent_again(handle: Handle, webhook_id: str, delivery_id: str, name: str) -> None:
    event = about(name, {WEBHOOK_ID: webhook_id, DELIVERY_ID: delivery_id})

    assert envelope(handle(name, **event), 200)["data"]["deliveryId"] == delivery_id


def test_nothing_is_recovered_where_nothing_has_failed(handle: Handle, webhook_id: str, delivery_id: str) -> None:
    event = about("recover_webhook_deliveries.valid", {WEBHOOK_ID: webhook_id})

    assert envelope(handle("recover_webhook_deliveries.valid", **event), 200)["data"]["recovered"] == 0
    assert delivery_id.startswith("dlv_")


def test_a_test_event_is_a_delivery(handle: Handle, webhook_id: str) -> None:
    event = about("send_test_event.valid", {WEBHOOK_ID: webhook_id})

    assert envelope(handle("send_test_event.valid", **event), 202)["data"]["deliveryId"].startswith("dlv_")


def test_a_message_about_a_delivery_that_does_not_exist_is_done(handle: Handle) -> None:
    assert handle("deliver_webhook.first_attempt") == {"batchItemFailures": []}


def test_the_sweep_queues_what_is_due(handle: Handle) -> None:
    assert handle("sweep_deliveries.scheduled")["queued"] == 0
