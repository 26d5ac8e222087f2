"""What the owner of an endpoint sees of its deliveries, and how they are sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.errors import Conflict, FieldIssue, InvalidInput, NotFound
from shared.observability.log import log
from shared.webhooks.delivery import DELIVERY_ID, KEPT, RECOVERABLE, Delivery, DeliveryRef, DeliveryStatus, first_id_at
from shared.webhooks.delivery_store import DeliveryChanged, DeliveryPage, DeliveryQueue, DeliveryStore
from shared.webhooks.endpoint import ENDPOINT_ID, WebhookEndpoint
from shared.webhooks.store import WebhookStore

LOOKED_AT = 200
"""How many deliveries one recovery looks at. The next one continues behind them."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one recovery has done: how many deliveries are sent again, and where the next one continues, or None."""

    recovered: int
    cursor: str | None


class DeliveryLog:
    """Read deliveries, and send them again. `owner` is the authenticated user, who has only their own endpoints."""

    def __init__(
        self, *, endpoints: WebhookStore, deliveries: DeliveryStore, queue: DeliveryQueue, clock: Clock
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock

    def page(
        self, owner: str, endpoint_id: str, *, status: DeliveryStatus | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """Return a page of the deliveries to the endpoint, newest event first, as `DeliveryStore.list_of` does.

        Raises:
            NotFound: the user has no such endpoint.
            InvalidInput: the cursor is invalid.
        """
        self._endpoint(owner, endpoint_id)
        try:
            return self._deliveries.list_of(owner, endpoint_id, status=status, limit=limit, cursor=cursor)
        except ValueError:
            raise _wrong_cursor() from None

    def one(self, owner: str, endpoint_id: str, delivery_id: str) -> tuple[Delivery, str | None]:
        """Return the delivery and the body that was sent, None if it is no longer stored.

        Raises NotFound if the user has no such endpoint, or the endpoint no such delivery.
        """
        self._endpoint(owner, endpoint_id)
        delivery = self._delivery(owner, endpoint_id, delivery_id)
        return delivery, self._deliveries.body(delivery.ref)

    def replay(self, owner: str, endpoint_id: str, delivery_id: str) -> Delivery:
        """Send the event of the delivery again, with the same id and body and a new schedule, and return the delivery.

        Raises:
            NotFound: the user has no such endpoint, or the endpoint no such delivery.
            Conflict: the endpoint is disabled, or an attempt is being made.
        """
        self._check_enabled(self._endpoint(owner, endpoint_id))
        while True:
            delivery = self._delivery(owner, endpoint_id, delivery_id)
            if delivery.claimed(self._clock()):
                raise Conflict(f"an attempt at delivery {delivery_id} is being made; wait until it has ended")
            if self._begin_again(delivery):
                log.info("webhook delivery replayed", delivery_id=delivery_id, endpoint_id=endpoint_id)
                return self._delivery(owner, endpoint_id, delivery_id)

    def recover(self, owner: str, endpoint_id: str, *, since: datetime, cursor: str | None = None) -> Recovery:
        """Send each event of the time `since` or later again that the receiver has not got, oldest first.

        Look at LOOKED_AT deliveries at most; with the cursor, continue behind those of an earlier recovery. If it is
        repeated, nothing is sent twice, because a delivery that is sent again is pending.

        Raises:
            NotFound: the user has no such endpoint.
            Conflict: the endpoint is disabled.
            InvalidInput: `since` is in the future, or so early that nothing is stored of it, or the cursor is invalid.
        """
        self._check_enabled(self._endpoint(owner, endpoint_id))
        now = self._clock()
        if not now - KEPT - timedelta(days=1) <= since <= now:
            rule = f"must be a time of the last {KEPT.days} days; deliveries are kept for so long"
            raise InvalidInput([FieldIssue("since", rule)])
        if cursor is not None and not DELIVERY_ID.fullmatch(cursor):
            raise _wrong_cursor()
        first = max(cursor or "", first_id_at(since))
        page = self._deliveries.list_since(owner, endpoint_id, first_id=first, limit=LOOKED_AT)
        recovered = sum(self._begin_again(each) for each in page.deliveries if each.status in RECOVERABLE)
        log.info("webhook deliveries recovered", endpoint_id=endpoint_id, recovered=recovered)
        return Recovery(recovered, page.cursor)

    def _begin_again(self, delivery: Delivery) -> bool:
        """Begin the schedule again. Return False if another request or attempt has changed the delivery first.

        If this process dies before it sends the message, the sweep finds the delivery.
        """
        now = self._clock()
        try:
            self._deliveries.replace(delivery, delivery.begun_again(now))
        except DeliveryChanged:
            return False
        self._queue.send(delivery.ref)
        return True

    def _endpoint(self, owner: str, endpoint_id: str) -> WebhookEndpoint:
        endpoint = self._endpoints.get(owner, endpoint_id) if ENDPOINT_ID.fullmatch(endpoint_id) else None
        if endpoint is None:
            raise NotFound(f"you have no webhook {endpoint_id[:64]}; list your webhooks to see their ids")
        return endpoint

    def _delivery(self, owner: str, endpoint_id: str, delivery_id: str) -> Delivery:
        ref = DeliveryRef(owner, endpoint_id, delivery_id)
        delivery = self._deliveries.get(ref) if DELIVERY_ID.fullmatch(delivery_id) else None
        if delivery is None:
            raise NotFound(f"delivery {delivery_id[:64]} was not found or has expired")
        return delivery

    def _check_enabled(self, endpoint: WebhookEndpoint) -> None:
        if endpoint.disabled:
            raise Conflict("the webhook is disabled; enable it first", state=endpoint.status)


def _wrong_cursor() -> InvalidInput:
    return InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")])
