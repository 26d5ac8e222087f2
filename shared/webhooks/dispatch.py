"""Make the deliveries of a job's change: one for each endpoint that wants its event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.jobs.job import Job, JobStatus
from shared.jobs.transitions import JobTransition
from shared.observability.log import log
from shared.webhooks.delivery import KEPT, Delivery, DeliveryStatus, delivery_id
from shared.webhooks.delivery_store import DeliveryQueue, DeliveryStore
from shared.webhooks.endpoint import Inclusion, WebhookEndpoint
from shared.webhooks.event import WebhookEvent, event_of, id_of, type_of, with_result
from shared.webhooks.store import WebhookStore, enabled_of


class WebhookDispatch:
    """Store deliveries and put them into the queue. Repeating a call sends nothing twice that was attempted already.

    `result_of` returns the result of a completed job, None if it is not stored. `api_url` is the address of the API.
    """

    def __init__(
        self,
        *,
        endpoints: WebhookStore,
        deliveries: DeliveryStore,
        queue: DeliveryQueue,
        result_of: Callable[[Job], Mapping[str, Any] | None],
        api_url: str,
    ) -> None:
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._queue = queue
        self._result_of = result_of
        self._api_url = api_url.rstrip("/")

    def batch(self) -> DispatchBatch:
        """Return the dispatch of one batch of transitions, which have all happened."""
        return DispatchBatch(self, self._endpoints)

    def dispatch(self, transition: JobTransition, endpoints: Sequence[WebhookEndpoint]) -> int:
        """Make the deliveries to those of the endpoints that want the transition's event; return how many there are."""
        job, kind = transition.job, type_of(transition)
        wanting = [each for each in endpoints if each.wants(kind, job.pipeline)]
        if not wanting:
            return 0
        event = event_of(transition, api_url=self._api_url)
        complete: WebhookEvent | None = None
        for endpoint in wanting:
            sent = event
            if Inclusion.RESULT in endpoint.include and job.status is JobStatus.COMPLETED:
                complete = complete or with_result(event, self._result_of(job))
                sent = complete
            self.deliver(endpoint, id_of(transition), kind, sent.body(), at=transition.changed_at, job_id=job.id)
        log.info("webhooks dispatched", job_id=job.id, event_type=kind, endpoints=len(wanting))
        return len(wanting)

    def deliver(
        self,
        endpoint: WebhookEndpoint,
        event_id: str,
        event_type: str,
        body: str,
        *,
        at: datetime,
        job_id: str | None = None,
    ) -> Delivery:
        """Make the delivery of one event of the time `at` to one endpoint, if there is none yet, and return it.

        The message to the queue follows the delivery: if the process dies in between, the repeated call sends it.
        """
        stored = self._deliveries.put_new(
            Delivery(
                id=delivery_id(endpoint.id, event_id, at),
                owner=endpoint.owner,
                endpoint_id=endpoint.id,
                event_id=event_id,
                event_type=event_type,
                job_id=job_id,
                created_at=at,
                expires_at=int((at + KEPT).timestamp()),
            ),
            body,
        )
        if stored.status is DeliveryStatus.PENDING and stored.attempt_count == 0 and stored.claim is None:
            self._queue.send(stored.ref)
        return stored


class DispatchBatch:
    """The dispatch of one batch. It reads the endpoints of each owner once.

    They are never too old, because they are read after the batch was received, so after everything in it has happened.
    Nothing is kept for the next batch.
    """

    def __init__(self, dispatch: WebhookDispatch, endpoints: WebhookStore) -> None:
        self._dispatch = dispatch
        self._endpoints = endpoints
        self._read: dict[str, Sequence[WebhookEndpoint]] = {}

    def handle(self, transition: JobTransition) -> int:
        """Make the deliveries of the transition's event, and return how many there are.

        An endpoint that was created after the transition does not get it.
        """
        owner = transition.job.owner
        if owner not in self._read:
            self._read[owner] = enabled_of(self._endpoints, owner)
        endpoints = [each for each in self._read[owner] if each.created_at <= transition.changed_at]
        return self._dispatch.dispatch(transition, endpoints) if endpoints else 0
