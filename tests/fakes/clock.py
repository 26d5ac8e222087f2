"""A clock that a test sets."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

EXPIRES_AT = int(NOON.timestamp()) + 7200
"""When a job expires that a test stores at noon (Unix seconds)."""


class SettableClock:
    """Implements Clock; the time changes only with `advance`."""

    def __init__(self, now: datetime = NOON) -> None:
        self._lock = threading.Lock()
        self._now = now

    def __call__(self) -> datetime:
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)
