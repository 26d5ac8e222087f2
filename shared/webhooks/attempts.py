"""Make one attempt at a delivery, and decide what follows: its end, another attempt, or a pause of the endpoint."""

from __future__ import annotations

import secrets as random_bytes
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from shared.clock import Clock
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.webhooks.breaker import after_failure, after_success, needs_probe, paused_until, with_probe
from shared.webhooks.delivery import BACKSTOP, CLAIM, Delivery, DeliveryRef, DeliveryStatus
from shared.webhooks.delivery_store import DeliveryChanged, DeliveryQueue, DeliveryStore
from shared.webhooks.endpoint import DisabledReason, EndpointHealth, WebhookEndpoint
from shared.webhooks.schedule import MOST_QUEUE_DELAY, STANDARD, Schedule, after_pause, asked_wait
from shared.webhooks.secrets import WebhookSecrets
from shared.webhooks.sender import Outcome, WebhookSender
from shared.webhooks.store import WebhookStore, change_endpoint

GONE = 410
"""The status with which a receiver says that it wants no events any more."""


class AttemptResult(StrEnum):
    """What a message of the queue has led to."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    FAILED = "failed"
    DISCARDED = "discarded"
    PAUSED = "paused"
    WAITING = "waiting"
    CLAIMED = "claimed"
    ENDED = "ended"


class _Closed(Exception):
    """The endpoint is disabled or deleted."""


class _Paused(Exception):
    """Nothing is sent to the endpoint before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


class WebhookAttempts:
    """Make attempts. A message that is received twice makes one attempt, unless the process of the first one died."""

    def __init__(
        self,
        *,
        endpoints: WebhookStore,
        deliveries: DeliveryStore,
        queue: DeliveryQueue,
        sender: WebhookSender,
        secrets: WebhookSecrets,
        clock: Clock,
        schedule: Schedule = STANDARD,
        new_claim: Callable[[], str] = lambda: random_bytes.token_hex(8),
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._queue = queue
        self._sender = sender
        self._secrets = secrets
        self._clock = clock
        self._schedule = schedule
        self._new_claim = new_claim

    def attempt(self, ref: DeliveryRef) -> AttemptResult:
        """Make the delivery's next attempt, if it is due and no other process makes it.

        If this process dies in the attempt, its message is received again, and then the claim has ended. If another
        process makes it, a message is sent that comes when the claim of that process has ended.

        Raises the storage faults of `shared/errors.py`: the message is then received again.
        """
        delivery = self._deliveries.get(ref)
        now = self._clock()
        if delivery is None or delivery.status is not DeliveryStatus.PENDING:
            return AttemptResult.ENDED
        if delivery.claimed_until is not None and delivery.claimed(now):
            # SQS may show a message twice, and the process with the claim may die: then this message was the last.
            self._send_at(delivery, delivery.claimed_until)
            return AttemptResult.CLAIMED
        if delivery.next_attempt_at is not None and delivery.next_attempt_at > now:
            # The message came early, or it came again after its process had died behind the attempt before.
            self._send_at(delivery, delivery.next_attempt_at)
            return AttemptResult.WAITING
        try:
            claimed = self._deliveries.replace(delivery, delivery.claimed_by(self._new_claim(), now))
            return self._attempt_claimed(claimed)
        except DeliveryChanged:
            self._queue.send(ref, delay=CLAIM)  # for the same reason
            return AttemptResult.CLAIMED

    def _attempt_claimed(self, delivery: Delivery) -> AttemptResult:
        """Make the attempt that this process has claimed. Raises DeliveryChanged if another has taken it over."""
        body = self._deliveries.body(delivery.ref)
        if body is None:
            log.error("the body of a delivery is not stored", delivery_id=delivery.id)
            return self._end(delivery, DeliveryStatus.FAILED)
        try:
            endpoint, probe = self._open_endpoint(delivery)  # last, so that nothing slow comes before the request
        except _Closed:
            return self._end(delivery, DeliveryStatus.DISCARDED)
        except _Paused as paused:
            return self._wait(delivery, after_pause(paused.until, delivery.id), AttemptResult.PAUSED)
        began = self._clock()
        headers = self._secrets.signed_headers(endpoint, delivery.event_id, body.encode())
        outcome = self._sender.post(endpoint.url, headers, body.encode())
        made = delivery.attempted(outcome, began)
        if outcome.succeeded:
            return self._delivered(made, endpoint)
        return self._failed(made, outcome, probe=probe)

    def _open_endpoint(self, delivery: Delivery) -> tuple[WebhookEndpoint, bool]:
        """Return the endpoint, and whether this attempt is the one after a pause. Raises _Closed and _Paused."""
        now = self._clock()
        endpoint = _open(self._endpoints.get(delivery.owner, delivery.endpoint_id), now)
        if not needs_probe(endpoint, now):
            return endpoint, False

        def claim_probe(stored: WebhookEndpoint) -> WebhookEndpoint:
            return with_probe(_open(stored, now), now) if needs_probe(stored, now) else _open(stored, now)

        probed = change_endpoint(self._endpoints, delivery.owner, delivery.endpoint_id, claim_probe)
        if probed is None:
            raise _Closed
        return probed, probed.health.paused_until is not None

    def _delivered(self, made: Delivery, endpoint: WebhookEndpoint) -> AttemptResult:
        self._end(made, DeliveryStatus.DELIVERED)
        if endpoint.health != EndpointHealth():
            change_endpoint(self._endpoints, made.owner, made.endpoint_id, after_success)
        return AttemptResult.DELIVERED

    def _failed(self, made: Delivery, outcome: Outcome, *, probe: bool) -> AttemptResult:
        """Count the failure, first for the endpoint and then for the delivery, and plan the next attempt."""
        now = self._clock()
        metrics.webhook_attempt_failed(outcome.error or f"{(outcome.status or 0) // 100}xx")

        def count(stored: WebhookEndpoint) -> WebhookEndpoint:
            if outcome.status == GONE:
                return stored.disabled_for(DisabledReason.GONE, now)
            return after_failure(stored, now, probe=probe)

        counted = change_endpoint(self._endpoints, made.owner, made.endpoint_id, count)
        if counted is not None:
            _tell_if_disabled(counted, now)
        if outcome.status == GONE or made.round_attempts >= self._schedule.attempts:
            return self._end(made, DeliveryStatus.FAILED)
        if counted is None or counted.disabled:
            return self._end(made, DeliveryStatus.DISCARDED)
        wait = self._schedule.wait_before(made.round_attempts + 1, made.id)
        asked = asked_wait(outcome.retry_after, now)
        at = now + (wait if asked is None else max(wait, asked))
        paused = paused_until(counted, now)
        if paused is not None:
            at = max(at, after_pause(paused, made.id))
        return self._wait(made, at, AttemptResult.RETRIED)

    def _wait(self, delivery: Delivery, until: datetime, result: AttemptResult) -> AttemptResult:
        """Store when the next attempt is, and then send the message for it, if the queue can hold it back so long."""
        soon = until - self._clock() <= MOST_QUEUE_DELAY
        self._deliveries.replace(delivery, delivery.waiting(until, due_at=until + BACKSTOP if soon else until))
        self._send_at(delivery, until)
        return result

    def _send_at(self, delivery: Delivery, at: datetime) -> None:
        delay = max(at - self._clock(), timedelta())
        if delay <= MOST_QUEUE_DELAY:
            self._queue.send(delivery.ref, delay=delay)

    def _end(self, delivery: Delivery, status: DeliveryStatus) -> AttemptResult:
        now = self._clock()
        self._deliveries.replace(delivery, delivery.ended(status, now))
        metrics.webhook_delivery_ended(status, (now - delivery.created_at).total_seconds())
        log.info(
            "webhook delivery ended",
            delivery_id=delivery.id,
            endpoint_id=delivery.endpoint_id,
            job_id=delivery.job_id,
            status=status,
            attempts=delivery.attempt_count,
        )
        return AttemptResult(status.value)


def _tell_if_disabled(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Count and log an endpoint that was disabled at this time."""
    if endpoint.disabled_at == now and endpoint.disabled_reason is not None:
        metrics.webhook_endpoint_disabled()
        log.warning("webhook endpoint disabled", endpoint_id=endpoint.id, reason=endpoint.disabled_reason)


def _open(endpoint: WebhookEndpoint | None, now: datetime) -> WebhookEndpoint:
    """Return the endpoint, if something may be sent to it now. Raises _Closed and _Paused."""
    if endpoint is None or endpoint.disabled:
        raise _Closed
    until = paused_until(endpoint, now)
    if until is not None:
        raise _Paused(until)
    return endpoint
