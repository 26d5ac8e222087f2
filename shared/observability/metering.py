"""Count what an invocation uses of AWS for a job, until a write to the job's item takes it along.

The storage layer counts DynamoDB's units in the meter of the current context, so no code between the handler and the
storage passes it on. docs/cost.md says which requests are counted.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from enum import StrEnum


class Count(StrEnum):
    """What a meter counts. The value is the attribute of a job's item: short, because each kilobyte is a unit."""

    LAMBDA_MS = "uM"
    LAMBDA_MB_MS = "uG"
    INVOCATIONS = "uI"
    LOST_INVOCATIONS = "uL"
    TRANSITIONS = "uT"
    WRITE_UNITS = "uW"
    READ_UNITS = "uR"
    STORED_BYTES = "uB"
    STORED_OBJECTS = "uO"
    TOOL_CALLS = "uC"
    WATCHER_MS = "uS"
    WATCHER_MB_MS = "uV"


Amounts = Mapping[Count, float]
"""Numbers to add to those of a job: whole ones, except that a read may be half a unit."""


class Meter:
    """What one invocation uses. `take` returns what was not taken before, so each number is added to a job once.

    What an invocation uses after its last write to a job cannot be added any more. So `take` counts the write that
    will carry the amounts, and what `expect` has announced; what turns out otherwise is in the next `take`.
    """

    def __init__(self, *, megabytes: int, transitions: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._megabytes = megabytes
        self._clock = clock
        self._began = clock()
        self._used: dict[Count, float] = defaultdict(float, {Count.INVOCATIONS: 1, Count.TRANSITIONS: transitions})
        self._taken: dict[Count, float] = defaultdict(float)
        self._units_expected = 0.0
        self._requests_expected = 0
        self._request_seconds = 0.0
        self.watches = False
        """Whether the invocation streams a job to a watcher: then it does not run the job."""
        self.item: Mapping[str, object] | None = None
        """The job's item as the invocation has last read or written it."""

    def count(self, what: Count, amount: float = 1) -> None:
        """Count something that was used."""
        with self._lock:
            self._used[what] += amount

    def count_request(self, what: Count, units: float, seconds: float) -> None:
        """Count DynamoDB's units of one request, and remember how many seconds it took."""
        with self._lock:
            self._used[what] += units
            self._request_seconds = seconds

    def expect(self, *, requests: int, write_units: float = 0) -> None:
        """Announce requests that follow the next write to the job, because no further write will carry their units."""
        with self._lock:
            self._requests_expected = requests
            self._units_expected = write_units

    def take(self, *, write_units: float) -> Amounts:
        """Return what was used since the last call, with the write of `write_units` that adds it to the job."""
        with self._lock:
            used = {**self._used, **self._durations()}
            used[Count.WRITE_UNITS] = self._used[Count.WRITE_UNITS] + self._units_expected + write_units
            self._units_expected, self._requests_expected = 0, 0
            if self.watches:
                del used[Count.INVOCATIONS]
            amounts = {what: used[what] - self._taken[what] for what in used if used[what] != self._taken[what]}
            for what, amount in amounts.items():
                self._taken[what] += amount
            return amounts

    def give_back(self, amounts: Amounts) -> None:
        """Return amounts that were taken for a write that failed."""
        with self._lock:
            for what, amount in amounts.items():
                self._taken[what] -= amount

    def _durations(self) -> dict[Count, float]:
        """Return the duration until the expected requests have ended. It counts as long as a request before did."""
        rest = (1 + self._requests_expected) * self._request_seconds
        total: float = math.ceil((self._clock() - self._began + rest) * 1000)
        milliseconds, product = (
            (Count.WATCHER_MS, Count.WATCHER_MB_MS) if self.watches else (Count.LAMBDA_MS, Count.LAMBDA_MB_MS)
        )
        total = max(total, self._taken[milliseconds])  # a number that was added is not subtracted again
        return {milliseconds: total, product: total * self._megabytes}


_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


def current() -> Meter | None:
    """Return the meter of this context; None if nothing is counted in it."""
    return _current.get()


def count(what: Count, amount: float = 1) -> None:
    """Count something in the meter of this context, if there is one."""
    meter = _current.get()
    if meter is not None:
        meter.count(what, amount)


def expect(*, requests: int, write_units: float = 0) -> None:
    """Announce requests to the meter of this context, if there is one (see `Meter.expect`)."""
    meter = _current.get()
    if meter is not None:
        meter.expect(requests=requests, write_units=write_units)


@contextlib.contextmanager
def metered(meter: Meter) -> Iterator[Meter]:
    """Count in this meter what the block uses, also in the tasks and threads of asyncio that start in it."""
    token = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(token)


def megabytes_of_function(context: object = None) -> int:
    """Return the memory of this function in MB: that of Lambda's context, or of its variable; 0 if neither is known."""
    return int(getattr(context, "memory_limit_in_mb", None) or os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 0)
