"""Decide when a reader polls the log again: with few polls and little delay."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.log.events import Delta
from shared.log.reader import Frame
from shared.log.writer import COALESCE_SECONDS

FIRST_WAIT = 0.05
"""Wait after a first poll that found nothing, in seconds: a new job has its first event later than that."""

SHORTEST_WAIT = 0.025
"""Shortest wait, in seconds, when no delta is due."""

LONGEST_WAIT = 0.25
"""Longest wait, in seconds, when no delta is due."""

USUAL_DELAY = 0.006
"""The usual time in seconds from the time of an append until a poll can find it."""

EARLY_POLL_SECONDS = 0.002
"""Poll this long before a delta is due, so that the estimate of its delay can fall."""

LATE_POLL_SECONDS = 0.001
"""Poll this long after a delta is due, so that the poll finds it."""

EARLY_EVERY = 8
"""Of this many deltas in a row, one is polled for early, and the others late."""

REPEAT_POLL_SECONDS = 0.006
"""Poll again after this long if a delta that is due is not visible yet."""


class Pace:
    """Compute the time until the next poll from what the earlier polls found.

    While text flows, the writer appends a delta every COALESCE_SECONDS, and each entry has the time of its append. So
    the next delta is due one interval after the newest append, plus the estimated time from an append until it is
    visible. The first poll for a delta is 1 ms late; for each eighth delta, and after one that was late, it is 2 ms
    early, which lets the estimate fall to the true time. A poll that finds nothing is repeated after 6 ms, and raises
    the estimate. This makes one and a quarter polls per delta, and a watcher gets each delta 2 ms late on average. One
    late delta does not delay the deltas after it. The first estimate takes the writer's clock and ours for equal, as
    those of Lambda functions are to a millisecond, as far as the polls before allow that.

    While no text flows, the wait is a tenth of the time since the last event: after one second of silence, a watcher
    gets the next event at most a tenth of a second late.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, clock: Callable[[], float] = time.time) -> None:
        """`clock` returns the Unix time, as the writer's clock does."""
        self._monotonic = monotonic
        self._clock = clock
        self._found_at = monotonic()
        self._polled_at: float | None = None
        self._delta_due: float | None = None
        self._visible_after: float | None = None
        self._uncertainty = 0.0
        self._poll_seconds = 0.0
        self._shortest_wait = SHORTEST_WAIT
        self._deltas = 0
        self._polled_in_vain = False

    @property
    def silence(self) -> float:
        """Return the seconds since a poll last found an event."""
        return self._monotonic() - self._found_at

    def record_poll(self, frames: list[Frame], polled_at: float, written_at: float = 0.0) -> None:
        """Record a poll that began at `polled_at` (monotonic seconds), has just returned, and found `frames`.

        `written_at` is the time of the newest append among them, in seconds of any clock that runs as fast as ours.
        """
        now = self._monotonic()
        self._poll_seconds = now - polled_at
        waited = COALESCE_SECONDS if self._polled_at is None else polled_at - self._polled_at
        self._shortest_wait = FIRST_WAIT if self._polled_at is None and not frames else SHORTEST_WAIT
        self._polled_at = polled_at
        if not frames:
            self._polled_in_vain = True
            return
        self._found_at = now
        text_flows = isinstance(frames[-1].event, Delta) or (len(frames) > 1 and isinstance(frames[-2].event, Delta))
        if not text_flows:
            self._delta_due = None
            return
        visible_after = self._estimate(polled_at - written_at, waited)
        early = self._polled_in_vain or self._deltas % EARLY_EVERY == 0
        shift = -EARLY_POLL_SECONDS if early else LATE_POLL_SECONDS
        self._deltas += 1
        self._polled_in_vain = False
        self._delta_due = written_at + COALESCE_SECONDS + visible_after + shift

    def _estimate(self, seen_after: float, waited: float) -> float:
        """Return the estimated time from an append on the writer's clock until it is visible on ours.

        `seen_after` is that time for the newest append, plus the time until this poll found it. It is only a reason to
        raise the estimate if a poll before has found nothing.
        """
        if self._visible_after is None:
            # The delta became visible at an unknown time between the two polls, or before the first poll.
            earliest = seen_after - min(waited, COALESCE_SECONDS)
            usual = USUAL_DELAY + self._monotonic() - self._clock()
            self._visible_after = usual if earliest < usual < seen_after else earliest
            self._uncertainty = seen_after - self._visible_after
        elif seen_after <= self._visible_after:
            self._visible_after, self._uncertainty = seen_after, 0.0
        elif self._polled_in_vain:
            # One late delta is chance. Several in a row mean another writer, whose clock differs: raise the limit.
            limit = self._visible_after + max(REPEAT_POLL_SECONDS, self._uncertainty)
            self._uncertainty = 2 * (limit - self._visible_after) if seen_after > limit else 0.0
            self._visible_after = min(seen_after, limit)
        return self._visible_after

    def next_wait(self) -> float:
        """Return the seconds to wait before the next poll."""
        if self._delta_due is not None:
            until_due = self._delta_due - self._monotonic()
            if until_due > 0:
                return until_due
            if self.silence < 1.5 * COALESCE_SECONDS:
                # A slow poll means a busy database. Polling faster than it responds would keep it busy.
                return max(REPEAT_POLL_SECONDS, self._poll_seconds)
        return min(LONGEST_WAIT, max(self._shortest_wait, self.silence / 10))
