"""The event source mappings of a template: pollers of its streams and queues, and what tests may do with them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from local.aws.deliveries import Deliveries, Outcome
from local.aws.moto_sqs import MotoQueues
from local.aws.queue_poller import QueuePoller
from local.aws.stream_poller import StreamPoller
from local.aws.table_streams import TableStreams
from local.template.event_sources import QueueSource, StreamSource
from local.template.template import Template


class EventSources:
    """The pollers of a template, which hand their batches to `deliveries`. Moto knows nothing of these mappings."""

    def __init__(self, template: Template | None, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self.queues = MotoQueues(() if template is None else template.queues)
        sources = () if template is None else template.event_sources
        self._of_streams = [
            StreamPoller(each, self._delivery(each), functools.partial(self._give_up, each))
            for each in sources
            if isinstance(each, StreamSource)
        ]
        self._of_queues = [
            QueuePoller(each, self.queues, self._delivery(each)) for each in sources if isinstance(each, QueueSource)
        ]
        self.streams = TableStreams(self._of_streams)

    def start(self) -> None:
        """Start the threads of all pollers."""
        for stream in self._of_streams:
            stream.start()
        for queue in self._of_queues:
            queue.start()

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Do what a test asks for: let `seconds` pass for messages, or `repeat` the next batches of a function."""
        if "seconds" in wanted:
            self.queues.advance(wanted["seconds"])
        if "repeat" in wanted:
            self._deliveries.repeat(wanted["repeat"], wanted["count"])

    def as_json(self) -> dict[str, Any]:
        """Return the counts of the records of each function's stream, and of the messages of each queue."""
        streams = {
            poller.source.function: {
                "waiting": poller.counts.waiting,
                "delivered": poller.counts.delivered,
                "givenUp": poller.counts.given_up,
            }
            for poller in self._of_streams
        }
        return {"streams": streams, "queues": self.queues.as_json()}

    def _delivery(self, source: StreamSource | QueueSource) -> functools.partial[Outcome]:
        return functools.partial(self._deliveries.deliver, source.function, source.logical_id)

    def _give_up(self, source: StreamSource, message: Mapping[str, Any]) -> None:
        if source.given_up is not None:
            self.queues.send(source.given_up, message)
