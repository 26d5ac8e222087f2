"""Limit how often each user may do something, in a sliding window: the mechanism of every limit per minute."""

from __future__ import annotations

import math

from pydantic import TypeAdapter

from shared.clock import Clock
from shared.errors import RateLimitExceeded
from shared.limits.records import RecordStore, update_record
from shared.schema import Schema

WINDOW_SECONDS = 60.0
"""Length of the sliding window."""


class Times(Schema):
    """When a user last did something, in Unix seconds, oldest first."""

    times: tuple[float, ...] = ()


TIMES = TypeAdapter(Times)
"""Reads and writes Times as JSON."""


class RateLimit:
    """Allow each user at most `limit` acts in any 60 seconds.

    `name` is the name of the record that counts them. `message` says the rule to a client that breaks it.
    """

    def __init__(self, records: RecordStore, name: str, *, limit: int, message: str, clock: Clock) -> None:
        self._records = records
        self._name = name
        self._limit = limit
        self._message = message
        self._clock = clock

    def count(self, owner: str) -> None:
        """Count one act now.

        Raises RateLimitExceeded, with the seconds until the next act is possible, if the limit is reached.
        """

        def decide(stored: Times, now: float) -> Times:
            recent = tuple(time for time in stored.times if time > now - WINDOW_SECONDS)
            if len(recent) >= self._limit:
                free_in = math.ceil(recent[len(recent) - self._limit] + WINDOW_SECONDS - now)
                raise RateLimitExceeded(f"{self._message}; try again in {free_in} s", retry_after=free_in)
            return Times(times=(*recent, now))

        update_record(self._records, owner, self._name, TIMES, decide, self._clock, kept=WINDOW_SECONDS)
