"""Limit the job creations of each user in a sliding window."""

from __future__ import annotations

from collections.abc import Callable

from shared.clock import Clock
from shared.limits.rate import RateLimit
from shared.limits.records import RecordStore


class CreationLimit:
    """Allow at most `limit` job creations per user in any 60 seconds."""

    def __init__(
        self, records: RecordStore, *, limit: int, clock: Clock, gate: Callable[[str], None] = lambda _: None
    ) -> None:
        message = f"you may create at most {limit} jobs per minute"
        self._rate = RateLimit(records, "creations", limit=limit, message=message, clock=clock, gate=gate)

    def count_creation(self, owner: str) -> float:
        """Count one creation now, and return its time, for `take_back`.

        Raises RateLimitExceeded, with the seconds until the next creation is possible, if the limit is reached.
        """
        return self._rate.count(owner)

    def take_back(self, owner: str, counted: float) -> None:
        """Count the creation of that time no longer, because it created nothing."""
        self._rate.take_back(owner, counted)
