"""When a delivery is attempted: the schedule over a day, its jitter, and what `Retry-After` asks for."""

from __future__ import annotations

import email.utils
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MOST_RETRY_AFTER = timedelta(hours=24)
"""The longest wait that a receiver can ask for with `Retry-After`."""

MOST_QUEUE_DELAY = timedelta(minutes=15)
"""The longest time that SQS holds a message back. A later attempt waits in the index of due deliveries."""

AFTER_PAUSE = timedelta(seconds=30)
"""Over this time the deliveries that waited for the end of a pause are attempted."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The waits before the attempts of a round, in seconds, and by which share they vary.

    The first wait follows the event, each other one the failure before it.
    """

    waits: Sequence[float] = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
    jitter: float = 0.2

    @property
    def attempts(self) -> int:
        """Return how many attempts a round has."""
        return len(self.waits)

    def wait_before(self, attempt: int, delivery_id: str) -> timedelta:
        """Return the wait before an attempt of a round, which is counted from 1.

        It varies by `jitter`, always in the same way for the same delivery, so that a repeated decision is the same.
        """
        return timedelta(seconds=self.waits[attempt - 1] * (1 + self.jitter * _spread(f"{delivery_id} {attempt}")))


STANDARD = Schedule()
"""The schedule of all deliveries: eight attempts within 27 hours and 35 minutes, give or take a fifth."""


def asked_wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """Return how long a receiver asks to wait, at most MOST_RETRY_AFTER; None if it does not, or not readably.

    `retry_after` is the header's value: whole seconds, or a date (RFC 9110, section 10.2.3).
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) <= 15 else math.inf
        return timedelta(seconds=min(seconds, MOST_RETRY_AFTER.total_seconds()))
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return min(max(at - now, timedelta()), MOST_RETRY_AFTER)


def after_pause(until: datetime, delivery_id: str) -> datetime:
    """Return when a delivery is attempted after a pause of its endpoint, which ends at `until`.

    The deliveries that have waited are attempted over AFTER_PAUSE, not all at once.
    """
    return until + AFTER_PAUSE * ((_spread(delivery_id) + 1) / 2)


def _spread(text: str) -> float:
    """Return a number from -1 to 1 that depends on the text only."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / (2**31 - 0.5) - 1
