"""Decide when a reader polls the log again: few polls, and little delay."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.log.events import Delta
from shared.log.reader import Frame
from shared.log.writer import COALESCE_SECONDS

SHORTEST_WAIT = 0.025
LONGEST_WAIT = 0.25
EARLY_POLL_SECONDS = 0.002
"""Seconds before a delta is due at which it is first looked for."""

REPEAT_POLL_SECONDS = 0.006
"""Seconds between two looks from then on."""


class Pace:
    """When to look again.

    The writer appends one coalescing interval apart and says when, so the next delta is due an interval after that, as
    much later as deltas are visible at the soonest. The first look for it is a little early: the estimate moves down to
    the truth, until a look is too early and is repeated 6 ms later. That is one and a half looks per delta, each seen
    3 ms late on average, and what came late once does not delay what follows. In silence, a tenth of its length so
    far: a watcher who has waited a second is told at most a tenth of a second late.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._found_at = monotonic()
        self._asked_at: float | None = None
        self._delta_due: float | None = None
        self._visible_after: float | None = None
        self._uncertain = 0.0
        self._look_seconds = 0.0

    @property
    def silence(self) -> float:
        """Seconds since something was found."""
        return self._monotonic() - self._found_at

    def record_poll(self, frames: list[Frame], asked_at: float, written_at: float = 0.0) -> None:
        """Take in what a look that began at `asked_at` has found, and how long it took.

        `written_at` is the time of the newest append that was found, on any clock that runs as fast as ours.
        """
        now = self._monotonic()
        self._look_seconds = now - asked_at
        waited = COALESCE_SECONDS if self._asked_at is None else asked_at - self._asked_at
        self._asked_at = asked_at
        if not frames:
            return
        self._found_at = now
        flowing = isinstance(frames[-1].event, Delta) or (len(frames) > 1 and isinstance(frames[-2].event, Delta))
        if not flowing:
            self._delta_due = None
            return
        visible_after = self._estimate(asked_at - written_at, waited)
        self._delta_due = written_at + COALESCE_SECONDS + visible_after - EARLY_POLL_SECONDS

    def _estimate(self, seen_after: float, waited: float) -> float:
        """From an append to where it can be seen, on our two clocks: what it took this time, if that was not late."""
        if self._visible_after is None:
            # It came at some time in the wait before this look, or before we came.
            self._uncertain = min(waited, COALESCE_SECONDS)
            self._visible_after = seen_after - self._uncertain
        else:
            # Once late is chance; late again and again is a writer with another clock.
            most = self._visible_after + max(REPEAT_POLL_SECONDS, self._uncertain)
            self._uncertain = 2 * (most - self._visible_after) if seen_after > most else 0.0
            self._visible_after = min(seen_after, most)
        return self._visible_after

    def next_wait(self) -> float:
        """Seconds until the next look."""
        if self._delta_due is not None:
            until_due = self._delta_due - self._monotonic()
            if until_due > 0:
                return until_due
            if self.silence < 1.5 * COALESCE_SECONDS:
                # A database that takes its time is busy: asking faster than it answers would only keep it so.
                return max(REPEAT_POLL_SECONDS, self._look_seconds)
        return min(LONGEST_WAIT, max(SHORTEST_WAIT, self.silence / 10))
