"""Add to a job what an invocation has used of AWS: the meter's amounts, and the ComputeUsage that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from shared.log.usage import ComputeUsage
from shared.observability import metering
from shared.observability.metering import Amounts, Count, Meter


@contextmanager
def charged(units_of: Callable[[Meter], float]) -> Iterator[Amounts]:
    """Take what the invocation has used, for the write in the block; empty if nothing is counted in this context.

    `units_of` returns the units of that write. If the write fails, a later one takes the amounts.
    """
    meter = metering.current()
    if meter is None:
        yield {}
        return
    amounts = meter.take(write_units=units_of(meter))
    try:
        yield amounts
    except BaseException:
        meter.give_back(amounts)
        raise


def compute_of(amounts: Mapping[Count, float]) -> ComputeUsage:
    """Return the amounts of a job as a ComputeUsage."""

    def number(what: Count) -> float:
        # A write that was counted with too many units is corrected by the next one, which may be the first for a job.
        return max(0, amounts.get(what, 0))

    return ComputeUsage(
        lambda_ms=int(number(Count.LAMBDA_MS)),
        lambda_gb_ms=number(Count.LAMBDA_MB_MS) / 1024,
        invocations=int(number(Count.INVOCATIONS)),
        lost_invocations=int(number(Count.LOST_INVOCATIONS)),
        transitions=int(number(Count.TRANSITIONS)),
        write_units=number(Count.WRITE_UNITS),
        read_units=number(Count.READ_UNITS),
        stored_bytes=int(number(Count.STORED_BYTES)),
        stored_objects=int(number(Count.STORED_OBJECTS)),
        tool_calls=int(number(Count.TOOL_CALLS)),
        watcher_seconds=number(Count.WATCHER_MS) / 1000,
        watcher_gb_ms=number(Count.WATCHER_MB_MS) / 1024,
    )


def amounts_of(compute: ComputeUsage) -> Amounts:
    """Return the amounts of which `compute_of` has made this: those that are not 0."""
    amounts: dict[Count, float] = {
        Count.LAMBDA_MS: compute.lambda_ms,
        Count.LAMBDA_MB_MS: round(compute.lambda_gb_ms * 1024),
        Count.INVOCATIONS: compute.invocations,
        Count.LOST_INVOCATIONS: compute.lost_invocations,
        Count.TRANSITIONS: compute.transitions,
        Count.WRITE_UNITS: compute.write_units,
        Count.READ_UNITS: compute.read_units,
        Count.STORED_BYTES: compute.stored_bytes,
        Count.STORED_OBJECTS: compute.stored_objects,
        Count.TOOL_CALLS: compute.tool_calls,
        Count.WATCHER_MS: round(compute.watcher_seconds * 1000),
        Count.WATCHER_MB_MS: round(compute.watcher_gb_ms * 1024),
    }
    return {what: amount for what, amount in amounts.items() if amount}
