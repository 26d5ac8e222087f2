"""Limit how often each user may do something, in a sliding window: the mechanism of every limit per minute."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

from pydantic import TypeAdapter

from shared.clock import Clock
from shared.errors import RateLimitExceeded, TransientFault
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

    `name` is the name of the record that counts them. `message` says the rule to a client that breaks it. `gate` is
    called before each act, and raises if the user may not act for another reason.
    """

    def __init__(
        self,
        records: RecordStore,
        name: str,
        *,
        limit: int,
        message: str,
        clock: Clock,
        gate: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._records = records
        self._gate = gate
        self._name = name
        self._limit = limit
        self._message = message
        self._clock = clock

    def count(self, owner: str) -> float:
        """Count one act now, and return its time, for `take_back`.

        Raises RateLimitExceeded, with the seconds until the next act is possible, if the limit is reached, and what
        the gate raises.
        """
        self._gate(owner)
        counted = 0.0

        def decide(stored: Times, now: float) -> Times:
            nonlocal counted
            counted = now
            recent = tuple(time for time in stored.times if time > now - WINDOW_SECONDS)
            if len(recent) >= self._limit:
                free_in = math.ceil(recent[len(recent) - self._limit] + WINDOW_SECONDS - now)
                raise RateLimitExceeded(f"{self._message}; try again in {free_in} s", retry_after=free_in)
            return Times(times=(*recent, now))

        self._update(owner, decide)
        return counted

    def take_back(self, owner: str, counted: float) -> None:
        """Count the act of that time no longer. If the storage fails, it stays counted."""

        def decide(stored: Times, _: float) -> Times:
            if counted not in stored.times:
                return stored
            index = stored.times.index(counted)
            return Times(times=(*stored.times[:index], *stored.times[index + 1 :]))

        with contextlib.suppress(TransientFault):
            self._update(owner, decide)

    def _update(self, owner: str, decide: Callable[[Times, float], Times]) -> None:
        update_record(self._records, owner, self._name, TIMES, decide, self._clock, kept=WINDOW_SECONDS)
