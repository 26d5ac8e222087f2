"""Define the wire models of the deliveries of webhooks, and convert deliveries to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import AwareDatetime, ConfigDict, Field

from shared.schema import Schema
from shared.webhooks.delivery import Attempt, Delivery, DeliveryStatus
from shared.webhooks.delivery_log import Recovery
from shared.webhooks.delivery_store import DeliveryPage

DeliveryId = Annotated[
    str, Path(alias="deliveryId", description="the delivery's id, from the list of deliveries", max_length=64)
]


class DeliverySummary(Schema):
    """The delivery of one event to one webhook, with its latest attempts.

    `attemptCount` counts all of them. A pending delivery is attempted at `nextAttemptAt`; at once if that is null.
    """

    delivery_id: str
    webhook_id: str
    event_id: str = Field(description="the header `webhook-id` of every attempt")
    event_type: str
    job_id: str | None = Field(description="null for a test event")
    status: DeliveryStatus
    attempts: tuple[Attempt, ...]
    attempt_count: int
    created_at: datetime = Field(description="the time of the event")
    next_attempt_at: datetime | None
    ended_at: datetime | None


class DeliveryDetail(DeliverySummary):
    """A delivery with the body that is sent, byte for byte."""

    body: str | None = Field(description="null if the body is no longer stored")


class DeliveryList(Schema):
    """One page of the deliveries to a webhook, newest event first.

    Send `cursor` to get the next page. It is null on the last page. A page of one status can have fewer deliveries than
    `limit`, even none, and a cursor.
    """

    deliveries: tuple[DeliverySummary, ...]
    cursor: str | None


class RecoveryRequest(Schema):
    """The body of `POST /webhooks/{webhookId}/recover`."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    since: AwareDatetime = Field(description="events of this time or later are sent again, if they did not arrive")
    cursor: str | None = Field(default=None, min_length=1, max_length=64, description="of an earlier response")


class RecoveryReport(Schema):
    """How many deliveries are sent again. Send the request again with `cursor` until that is null."""

    recovered: int
    cursor: str | None


def summary(delivery: Delivery) -> DeliverySummary:
    """Return the wire model of a delivery."""
    return DeliverySummary(**_shown(delivery))


def detail(delivery: Delivery, body: str | None) -> DeliveryDetail:
    """Return the wire model of a delivery with its body."""
    return DeliveryDetail(**_shown(delivery), body=body)


def page(found: DeliveryPage) -> DeliveryList:
    """Return the wire model of a page."""
    return DeliveryList(deliveries=tuple(summary(each) for each in found.deliveries), cursor=found.cursor)


def report(recovery: Recovery) -> RecoveryReport:
    """Return the wire model of a recovery."""
    return RecoveryReport(recovered=recovery.recovered, cursor=recovery.cursor)


def _shown(delivery: Delivery) -> dict[str, object]:
    names = DeliverySummary.model_fields.keys() & Delivery.model_fields.keys()
    shown = {name: getattr(delivery, name) for name in names}
    return {**shown, "delivery_id": delivery.id, "webhook_id": delivery.endpoint_id}
