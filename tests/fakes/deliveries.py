"""The ports to deliveries and their queue, and a sender, in memory."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import Clock
from shared.webhooks.delivery import DELIVERY_ID, Delivery, DeliveryRef, DeliveryStatus
from shared.webhooks.delivery_store import DeliveryChanged, DeliveryPage
from shared.webhooks.schedule import MOST_QUEUE_DELAY
from shared.webhooks.sender import Outcome


class FakeDeliveryStore:
    """Implements DeliveryStore. It stores deliveries as JSON, so that a read returns a new object."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stored: dict[DeliveryRef, str] = {}
        self._bodies: dict[DeliveryRef, str] = {}

    def put_new(self, delivery: Delivery, body: str) -> Delivery:
        with self._lock:
            self._bodies.setdefault(delivery.ref, body)
            new = delivery.model_copy(update={"revision": secrets.token_hex(8)})
            return Delivery.model_validate_json(self._stored.setdefault(delivery.ref, new.model_dump_json()))

    def get(self, ref: DeliveryRef) -> Delivery | None:
        with self._lock:
            text = self._stored.get(ref)
            delivery = None if text is None else Delivery.model_validate_json(text)
            return delivery if delivery is not None and self._kept(delivery) else None

    def body(self, ref: DeliveryRef) -> str | None:
        with self._lock:
            return self._bodies.get(ref)

    def replace(self, before: Delivery, after: Delivery) -> Delivery:
        with self._lock:
            text = self._stored.get(after.ref)
            if text is None or Delivery.model_validate_json(text).revision != before.revision:
                raise DeliveryChanged
            written = after.model_copy(update={"revision": secrets.token_hex(8)})
            self._stored[after.ref] = written.model_dump_json()
            return written

    def list_of(
        self, owner: str, endpoint_id: str, *, status: DeliveryStatus | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        if cursor is not None and not DELIVERY_ID.fullmatch(cursor):
            raise ValueError("not a cursor of this store")
        found = [
            each
            for each in reversed(self._of(owner, endpoint_id))
            if (cursor is None or each.id < cursor) and status in {None, each.status}
        ]
        return DeliveryPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def list_since(self, owner: str, endpoint_id: str, *, first_id: str, limit: int) -> DeliveryPage:
        found = [each for each in self._of(owner, endpoint_id) if each.id >= first_id]
        return DeliveryPage(found[:limit], found[limit].id if len(found) > limit else None)

    def due(self, until: datetime) -> Iterator[DeliveryRef]:
        with self._lock:
            stored = [Delivery.model_validate_json(text) for text in self._stored.values()]
        marked = [(each.due_at, each.ref) for each in stored if each.due_at is not None and each.due_at <= until]
        yield from (ref for _, ref in sorted(marked))

    def erase_some(self, owner: str, *, most: int) -> int:
        with self._lock:
            stored = [(kind, ref) for kind in (self._stored, self._bodies) for ref in kind if ref.owner == owner]
            for kind, ref in stored[:most]:
                del kind[ref]
            return len(stored[:most])

    def _of(self, owner: str, endpoint_id: str) -> list[Delivery]:
        with self._lock:
            stored = [Delivery.model_validate_json(text) for text in self._stored.values()]
        found = [each for each in stored if each.owner == owner and each.endpoint_id == endpoint_id]
        return sorted((each for each in found if self._kept(each)), key=lambda each: each.id)

    def _kept(self, delivery: Delivery) -> bool:
        return delivery.expires_at > self._clock().timestamp()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent: the delivery it names, and when it is received."""

    ref: DeliveryRef
    at: datetime


class FakeDeliveryQueue:
    """Implements DeliveryQueue. `messages` are those that were not taken yet, in the order of their times."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self.messages: list[Sent] = []

    def send(self, ref: DeliveryRef, *, delay: timedelta = timedelta()) -> None:
        assert timedelta() <= delay <= MOST_QUEUE_DELAY
        self.messages.append(Sent(ref, self._clock() + delay))
        self.messages.sort(key=lambda each: each.at)

    def take(self) -> list[DeliveryRef]:
        """Take the messages that are received by now."""
        now = self._clock()
        taken = [each.ref for each in self.messages if each.at <= now]
        self.messages = [each for each in self.messages if each.at > now]
        return taken


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a sender was asked to send."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class FakeSender:
    """Implements WebhookSender: every request has the outcome that `answer` returns. `requests` are all requests."""

    def __init__(self, answer: Callable[[Request], Outcome] = lambda _: Outcome(12, 200)) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        request = Request(url, headers, body)
        self.requests.append(request)
        return self.answer(request)
