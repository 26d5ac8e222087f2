"""Limit the job creations of each user in a sliding window."""

from __future__ import annotations

import math

from pydantic import TypeAdapter

from shared.clock import Clock
from shared.errors import RateLimitExceeded
from shared.limits.records import RecordStore, update_record
from shared.schema import Schema

WINDOW_SECONDS = 60.0
"""Length of the sliding window."""


class Creations(Schema):
    """The times of a user's latest job creations, in Unix seconds, oldest first."""

    times: tuple[float, ...] = ()


CREATIONS = TypeAdapter(Creations)
"""Reads and writes Creations as JSON."""


class CreationLimit:
    """Allow at most `limit` job creations per user in any 60 seconds."""

    def __init__(self, records: RecordStore, *, limit: int, clock: Clock) -> None:
        self._records = records
        self._limit = limit
        self._clock = clock

    def count_creation(self, owner: str) -> None:
        """Count one creation now.

        Raises RateLimitExceeded, with the seconds until the next creation is possible, if the limit is reached.
        """

        def decide(stored: Creations, now: float) -> Creations:
            recent = tuple(time for time in stored.times if time > now - WINDOW_SECONDS)
            if len(recent) >= self._limit:
                free_in = math.ceil(recent[len(recent) - self._limit] + WINDOW_SECONDS - now)
                message = f"you may create at most {self._limit} jobs per minute; try again in {free_in} s"
                raise RateLimitExceeded(message, retry_after=free_in)
            return Creations(times=(*recent, now))

        update_record(self._records, owner, "creations", CREATIONS, decide, self._clock, kept=WINDOW_SECONDS)
