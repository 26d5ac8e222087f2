"""The limit on job creations per user, in a sliding window."""

from __future__ import annotations

import math

from pydantic import TypeAdapter

from shared.clock import Clock
from shared.errors import RateLimitExceeded
from shared.limits.records import RecordStore, update_record
from shared.schema import Schema

WINDOW_SECONDS = 60.0


class Creations(Schema):
    """When a user's latest creations were, in Unix seconds, oldest first."""

    times: tuple[float, ...] = ()


CREATIONS = TypeAdapter(Creations)


class CreationLimit:
    """At most `limit` job creations per user in any 60 seconds."""

    def __init__(self, records: RecordStore, *, limit: int, clock: Clock) -> None:
        self._records = records
        self._limit = limit
        self._clock = clock

    def count_creation(self, owner: str) -> None:
        """Count one creation now, or raise RateLimitExceeded with the seconds until one leaves the window."""

        def decide(stored: Creations, now: float) -> Creations:
            recent = tuple(time for time in stored.times if time > now - WINDOW_SECONDS)
            if len(recent) >= self._limit:
                free_in = recent[len(recent) - self._limit] + WINDOW_SECONDS - now
                raise RateLimitExceeded(
                    f"at most {self._limit} jobs may be created per minute", retry_after=math.ceil(free_in)
                )
            return Creations(times=(*recent, now))

        update_record(self._records, owner, "creations", CREATIONS, decide, self._clock, kept=WINDOW_SECONDS)
