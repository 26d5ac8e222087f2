"""The delivery: one event on its way to one endpoint, with its attempts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import Field

from shared.schema import Schema
from shared.ulid import ALPHABET
from shared.webhooks.sender import Outcome, SendError

DELIVERY_ID = re.compile(rf"dlv_[{ALPHABET}]{{26}}")
"""Matches a whole delivery id."""

KEPT = timedelta(days=30)
"""How long a delivery and its body are stored after the event."""

KEPT_ATTEMPTS = 20
"""How many of its latest attempts a delivery tells."""

CLAIM = timedelta(seconds=45)
"""How long a process may take for an attempt, three times its deadline. Then another one may take it over."""

BACKSTOP = timedelta(minutes=10)
"""How long after the time of its next attempt the sweep looks for a delivery whose message was lost."""


class DeliveryStatus(StrEnum):
    """The status of a delivery.

    `pending`: an attempt is made or will be made. `delivered`: the receiver has accepted the event. `failed`: every
    attempt of the schedule has failed, or the receiver has answered 410. `discarded`: nothing more is sent, because the
    endpoint is disabled or deleted.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DISCARDED = "discarded"


RECOVERABLE = frozenset({DeliveryStatus.FAILED, DeliveryStatus.DISCARDED})
"""The statuses of events that their receiver has not got."""


class DeliveryRef(NamedTuple):
    """What names a delivery: in its key, and in the messages of the queue."""

    owner: str
    endpoint_id: str
    delivery_id: str

    def as_message(self) -> dict[str, str]:
        """Return the message of the queue that names the delivery."""
        return {"owner": self.owner, "endpointId": self.endpoint_id, "deliveryId": self.delivery_id}

    @staticmethod
    def from_message(message: Mapping[str, Any]) -> DeliveryRef:
        """Return the delivery that a message names. Raises KeyError if it names none."""
        return DeliveryRef(*(str(message[name]) for name in ("owner", "endpointId", "deliveryId")))


class Attempt(Schema):
    """One request to the receiver: the status of its response, or why there was none."""

    number: int = Field(ge=1)
    at: datetime
    status_code: int | None = None
    error: SendError | None = None
    milliseconds: int = Field(ge=0)


class Delivery(Schema):
    """A stored delivery, without the body.

    `attempt_count` counts all attempts, `round_attempts` those since the schedule began, which a replay starts again.
    `attempts` are the latest KEPT_ATTEMPTS. A pending delivery is attempted at `next_attempt_at`, or at once if it has
    none, and by no process but the one with this `claim` until `claimed_until`. At `due_at` the sweep looks at it. Each
    write has a new `revision`.
    """

    id: str
    owner: str
    endpoint_id: str
    event_id: str
    event_type: str
    job_id: str | None = None
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: tuple[Attempt, ...] = ()
    attempt_count: int = Field(default=0, ge=0)
    round_attempts: int = Field(default=0, ge=0)
    created_at: datetime
    next_attempt_at: datetime | None = None
    ended_at: datetime | None = None
    claim: str | None = None
    claimed_until: datetime | None = None
    due_at: datetime | None = None
    expires_at: int = Field(description="Unix seconds; from then on the delivery no longer exists")
    revision: str = ""

    @property
    def ref(self) -> DeliveryRef:
        """Return what names the delivery."""
        return DeliveryRef(self.owner, self.endpoint_id, self.id)

    def claimed(self, now: datetime) -> bool:
        """Return whether a process makes an attempt at this time."""
        return self.claimed_until is not None and self.claimed_until > now

    def claimed_by(self, claim: str, now: datetime) -> Delivery:
        """Return the delivery while the process with this claim makes an attempt."""
        return self.model_copy(update={"claim": claim, "claimed_until": now + CLAIM})

    def attempted(self, outcome: Outcome, at: datetime) -> Delivery:
        """Return the delivery with one more attempt, which began at `at`, and without a claim."""
        made = Attempt(
            number=self.attempt_count + 1,
            at=at,
            status_code=outcome.status,
            error=outcome.error,
            milliseconds=outcome.milliseconds,
        )
        return self.model_copy(
            update={
                "attempts": (*self.attempts, made)[-KEPT_ATTEMPTS:],
                "attempt_count": self.attempt_count + 1,
                "round_attempts": self.round_attempts + 1,
                "claim": None,
                "claimed_until": None,
            }
        )

    def waiting(self, until: datetime, *, due_at: datetime) -> Delivery:
        """Return the pending delivery, whose next attempt is at `until`."""
        changes = {"next_attempt_at": until, "due_at": due_at, "claim": None, "claimed_until": None}
        return self.model_copy(update=changes)

    def ended(self, status: DeliveryStatus, now: datetime) -> Delivery:
        """Return the delivery with the status that it ends with."""
        cleared = dict.fromkeys(("next_attempt_at", "due_at", "claim", "claimed_until"))
        return self.model_copy(update={**cleared, "status": status, "ended_at": now})

    def begun_again(self, now: datetime) -> Delivery:
        """Return the delivery with its schedule at the start: the next attempt is now."""
        changes = {"status": DeliveryStatus.PENDING, "round_attempts": 0, "ended_at": None}
        return self.model_copy(update=changes).waiting(now, due_at=now + BACKSTOP)


def delivery_id(endpoint_id: str, event_id: str, at: datetime) -> str:
    """Return the id of the delivery of an event of this time to an endpoint: always the same one.

    It is a ULID whose random part is a digest, so deliveries sort by the time of their event.
    """
    digest = int.from_bytes(hashlib.sha256(f"{endpoint_id} {event_id}".encode()).digest()[:10])
    number = (int(at.timestamp() * 1000) << 80) | digest
    return "dlv_" + "".join(ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def first_id_at(at: datetime) -> str:
    """Return the id that sorts before those of all deliveries of events at this time or later."""
    number = int(at.timestamp() * 1000) << 80
    return "dlv_" + "".join(ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
