"""Hands the messages of a queue to a function, as Lambda does: in batches, several at a time, deleted when done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.aws.deliveries import Outcome, Record
from local.aws.moto_sqs import MotoQueues
from local.template.event_sources import QueueSource

_PAUSE = 0.2  # seconds, if the function could not be invoked at all


class QueuePoller:
    """Delivers the messages of one event source. A message that is not deleted becomes visible again by itself."""

    def __init__(
        self,
        source: QueueSource,
        queues: MotoQueues,
        deliver: Callable[[Sequence[Record]], Outcome],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.source = source
        self._queues = queues
        self._deliver = deliver
        self._pause = pause
        self._running = 0

    def start(self) -> None:
        """Start a daemon thread that waits for messages, without asking for them, and as many as the source may use."""
        threads = ThreadPoolExecutor(self.source.concurrency, thread_name_prefix="queue")

        def run() -> None:
            while True:
                threads.submit(self.handle, self.next_batch())

        threading.Thread(target=run, name="queue", daemon=True).start()

    def next_batch(self) -> list[dict[str, Any]]:
        """Wait until a batch may be delivered, and return its messages."""
        changed = self._queues.changed
        with changed:
            while True:
                free = self._running < self.source.concurrency
                batch = self._queues.receive(self.source.queue, self.source.batch_size) if free else []
                if batch:
                    self._running += 1
                    return batch
                changed.wait(self._queues.seconds_to_next(self.source.queue) if free else None)

    def handle(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Deliver the messages, and delete those that did not fail."""
        try:
            outcome = self._deliver(batch)
            if not outcome.ran:
                self._pause(_PAUSE)
                self._queues.put_back(self.source.queue, [each["receiptHandle"] for each in batch])
            else:
                failed = self._failed(batch, outcome)
                done = [each["receiptHandle"] for each in batch if each["messageId"] not in failed]
                self._queues.delete(self.source.queue, done)
        finally:
            with self._queues.changed:
                self._running -= 1
                self._queues.changed.notify_all()

    def _failed(self, batch: Sequence[Mapping[str, Any]], outcome: Outcome) -> set[str]:
        """Return the ids of the messages that failed; all if the function failed, or reports one it did not get."""
        every = {str(each["messageId"]) for each in batch}
        if not self.source.partial:
            return every if outcome.failed else set()
        reported = outcome.reported()
        return every if reported is None or not set(reported) <= every else set(reported)
