"""A test event takes the way of every event to its endpoint."""

from __future__ import annotations

import json

import pytest

from shared.errors import Conflict, NotFound
from shared.webhooks.endpoint import EndpointStatus
from tests.fakes.core import FakeCore
from tests.unit.webhooks.test_service import settings


def test_a_test_event_is_delivered_whatever_types_the_webhook_has() -> None:
    core = FakeCore()
    webhook, _ = core.webhook_service.create("ada", settings(event_types=("job.resumed",)))

    delivery = core.webhook_trial.send("ada", webhook.id)

    assert core.ports.deliveries.get(delivery.ref) == delivery
    assert (delivery.event_type, delivery.job_id, delivery.endpoint_id) == ("webhook.test", None, webhook.id)
    body = core.ports.deliveries.body(delivery.ref)
    assert body is not None
    assert json.loads(body) == {
        "type": "webhook.test",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {"webhookId": webhook.id},
    }


def test_each_test_event_has_its_own_id() -> None:
    core = FakeCore()
    webhook, _ = core.webhook_service.create("ada", settings())
    first, second = (core.webhook_trial.send("ada", webhook.id) for _ in range(2))
    assert first.event_id != second.event_id
    assert first.id != second.id


def test_nothing_is_sent_to_a_disabled_webhook_or_to_that_of_another_user() -> None:
    core = FakeCore()
    webhook, _ = core.webhook_service.create("ada", settings())
    with pytest.raises(NotFound):
        core.webhook_trial.send("bob", webhook.id)
    core.webhook_service.update("ada", webhook.id, {"status": EndpointStatus.DISABLED})
    with pytest.raises(Conflict, match="enable it first"):
        core.webhook_trial.send("ada", webhook.id)
