"""Send a test event, so that an owner sees whether a webhook's receiver works before something happens to a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, Protocol

from shared.clock import Clock
from shared.errors import Conflict
from shared.observability.log import log
from shared.schema import Schema
from shared.ulid import new_ulid
from shared.webhooks.delivery import Delivery
from shared.webhooks.endpoint import EndpointStatus, WebhookEndpoint

TEST_EVENT: Final = "webhook.test"
"""The type of test events. An endpoint gets them whatever its types are, because only its owner sends them."""


class TrialData(Schema):
    """The webhook that the test event is sent to."""

    webhook_id: str


class TrialEvent(Schema):
    """The body of a test event."""

    type: Literal["webhook.test"] = TEST_EVENT
    timestamp: datetime
    data: TrialData


class Deliverer(Protocol):
    """Make deliveries; `WebhookDispatch` does."""

    def deliver(
        self, endpoint: WebhookEndpoint, event_id: str, event_type: str, body: str, *, at: datetime
    ) -> Delivery:
        """Make the delivery of one event of the time `at` to one endpoint, and return it."""


class WebhookTrial:
    """Send test events. They take the way of every event: the log of deliveries, the queue, signature and schedule.

    `endpoint_of` returns the endpoint of an owner with an id. It raises NotFound if there is none.
    """

    def __init__(
        self, *, endpoint_of: Callable[[str, str], WebhookEndpoint], dispatch: Deliverer, clock: Clock
    ) -> None:
        self._endpoint_of = endpoint_of
        self._dispatch = dispatch
        self._clock = clock

    def send(self, owner: str, endpoint_id: str) -> Delivery:
        """Make the delivery of a new test event, and return it.

        Raises:
            NotFound: the owner has no endpoint with this id.
            Conflict: the endpoint is disabled.
        """
        endpoint = self._endpoint_of(owner, endpoint_id)
        if endpoint.disabled:
            raise Conflict(
                "the webhook is disabled, so nothing is sent to it; enable it first",
                state=endpoint.status,
                allowed=[EndpointStatus.ENABLED, EndpointStatus.PAUSED],
            )
        now = self._clock()
        event = TrialEvent(timestamp=now, data=TrialData(webhook_id=endpoint.id))
        body = json.dumps(event.model_dump(mode="json"), separators=(",", ":"))
        event_id = f"evt_{new_ulid(int(now.timestamp() * 1000))}_test"
        delivery = self._dispatch.deliver(endpoint, event_id, TEST_EVENT, body, at=now)
        log.info("test event sent", webhook_id=endpoint.id, delivery_id=delivery.id)
        return delivery
