"""Erase the webhook endpoints of an owner, and the deliveries to them."""

from __future__ import annotations

from datetime import datetime

from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_each
from shared.webhooks.delivery_store import DeliveryStore
from shared.webhooks.store import WebhookStore

AT_ONCE = 100
"""How many items of deliveries are deleted before the time is looked at again."""


class OwnerWebhooks:
    """Implements OwnerData for webhook endpoints. Without one, nothing is delivered any more."""

    name = "webhooks"
    holds = "webhook endpoints"
    places = ("DurableTable WEBHOOKS#",)

    def __init__(self, endpoints: WebhookStore, *, clock: Clock) -> None:
        self._endpoints = endpoints
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - none is left
        """Delete endpoints."""

        def remove(endpoint_id: str) -> None:
            self._endpoints.remove(owner, endpoint_id)

        found = [endpoint.id for endpoint in self._endpoints.list_of(owner)]
        return erase_each(found, remove, clock=self._clock, until=until)


class OwnerDeliveries:
    """Implements OwnerData for the deliveries to an owner's webhook endpoints."""

    name = "deliveries"
    holds = "deliveries to webhook endpoints, with what was sent"
    places = ("DeliveriesTable DELIVERIES#",)

    def __init__(self, deliveries: DeliveryStore, *, clock: Clock) -> None:
        self._deliveries = deliveries
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - none is left
        """Delete deliveries and their bodies."""
        count = 0
        while erased := self._deliveries.erase_some(owner, most=AT_ONCE):
            count += erased
            if self._clock() >= until:
                return ErasedStep(count, done=False)
        return ErasedStep(count, done=True)
