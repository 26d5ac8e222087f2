"""The clock that services get as a parameter, so that tests can set the time, and the end of the invocation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""A function that returns the current time, with a time zone."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@contextlib.contextmanager
def ending_in(seconds: float) -> Iterator[None]:
    """Say that the invocation, which everything in this context belongs to, ends in this number of seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float | None:
    """Return the seconds until the invocation ends; None if it has no end."""
    deadline = _deadline.get()
    return None if deadline is None else deadline - time.monotonic()
