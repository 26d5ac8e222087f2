"""The ports to stored deliveries, and to the queue of those that are to be attempted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.webhooks.delivery import Delivery, DeliveryRef, DeliveryStatus


class DeliveryChanged(Exception):
    """The stored delivery is not the one that was to be replaced, or it has expired."""


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """One page of deliveries; `cursor` is None on the last page."""

    deliveries: Sequence[Delivery]
    cursor: str | None


class DeliveryStore(Protocol):
    """Store deliveries and their bodies until they expire. Repeating a write changes nothing."""

    def put_new(self, delivery: Delivery, body: str) -> Delivery:
        """Store the delivery and its body, if no delivery with its id is stored; return the stored one."""

    def get(self, ref: DeliveryRef) -> Delivery | None:
        """Return the delivery, strongly consistent; None if there is none or it has expired."""

    def body(self, ref: DeliveryRef) -> str | None:
        """Return the body of the delivery; None if it is no longer stored."""

    def replace(self, before: Delivery, after: Delivery) -> Delivery:
        """Store `after` with a new revision, and return it so.

        Raises DeliveryChanged if the stored revision is not that of `before`.
        """

    def list_of(
        self, owner: str, endpoint_id: str, *, status: DeliveryStatus | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """Return up to `limit` deliveries to the endpoint with this status, if any is given, newest event first.

        A page with a status can have fewer, because a bounded number of deliveries is looked at.

        Raises ValueError for an invalid cursor.
        """

    def list_since(self, owner: str, endpoint_id: str, *, first_id: str, limit: int) -> DeliveryPage:
        """Return up to `limit` deliveries to the endpoint from this id on, oldest event first.

        The cursor is the id from which the next page begins.
        """

    def due(self, until: datetime) -> Iterator[DeliveryRef]:
        """Yield the deliveries whose `due_at` is not after `until`. The index may be some milliseconds late."""

    def erase_some(self, owner: str, *, most: int) -> int:
        """Delete up to `most` items of the owner's deliveries, and return how many; 0 if nothing is left."""


class DeliveryQueue(Protocol):
    """The queue of deliveries that are to be attempted. A message can be received more than once."""

    def send(self, ref: DeliveryRef, *, delay: timedelta = timedelta()) -> None:
        """Have the delivery attempted after `delay`, at most MOST_QUEUE_DELAY; the delay is rounded up to seconds."""
