"""The sweep of deliveries: bring those back into the queue whose next attempt is due."""

from __future__ import annotations

from datetime import timedelta

from shared.clock import Clock
from shared.errors import TransientFault
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.schema import Schema
from shared.webhooks.delivery import BACKSTOP, DeliveryRef, DeliveryStatus
from shared.webhooks.delivery_store import DeliveryChanged, DeliveryQueue, DeliveryStore
from shared.webhooks.schedule import MOST_QUEUE_DELAY

EVERY = timedelta(minutes=5)
"""How often the sweep runs. It brings what is due before the next run, and the queue holds it back until then."""

SWEEP_SECONDS = 40.0
"""Time limit of one sweep, well below the timeout of its function."""


class DeliverySweepReport(Schema):
    """What a sweep has done: `queued` deliveries; `finished` is false if the next sweep has to continue."""

    queued: int
    finished: bool


class DeliverySweep:
    """Queue what is due. The index of due deliveries is its cursor: what was queued leaves the front of it."""

    def __init__(self, *, deliveries: DeliveryStore, queue: DeliveryQueue, clock: Clock) -> None:
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock

    def run(self) -> DeliverySweepReport:
        """Queue what is due, for at most SWEEP_SECONDS. Safe at any time, also for two sweeps at once."""
        began = self._clock()
        until = began + timedelta(seconds=SWEEP_SECONDS)
        queued, oldest, finished = 0, timedelta(), True
        for ref in self._deliveries.due(began + EVERY):
            late = self._queue_one(ref)
            if late is not None:
                queued += 1
                oldest = max(oldest, late)
            if self._clock() >= until:
                finished = False
                break
        metrics.deliveries_swept(queued=queued, oldest_due=oldest.total_seconds())
        log.info("deliveries swept", queued=queued, finished=finished)
        return DeliverySweepReport(queued=queued, finished=finished)

    def _queue_one(self, ref: DeliveryRef) -> timedelta | None:
        """Queue the delivery, and return how late it is; None if nothing is to be done for it.

        Move it in the index first: if this process dies in between, a later sweep finds it there.
        """
        now = self._clock()
        delivery = self._deliveries.get(ref)
        if delivery is None or delivery.status is not DeliveryStatus.PENDING or delivery.due_at is None:
            return None
        at = max(delivery.next_attempt_at or now, now)
        if delivery.due_at > now + EVERY:
            return None  # the index was read before another sweep has moved it
        try:
            self._deliveries.replace(delivery, delivery.model_copy(update={"due_at": at + BACKSTOP}))
            self._queue.send(ref, delay=min(at - now, MOST_QUEUE_DELAY))
        except (DeliveryChanged, TransientFault) as error:
            log.warning("due delivery not queued", delivery_id=ref.delivery_id, reason=type(error).__name__)
            return None
        return max(now - delivery.due_at, timedelta())
