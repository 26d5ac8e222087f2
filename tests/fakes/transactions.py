"""Side writes of the stores in memory, and the transaction that makes all of them or none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from shared.jobs.store import PreparedWrites, SideWriteConflict

MAX_WRITES = 100


@dataclass(frozen=True)
class FakeWrite:
    """One write to the item `key` of a store: `write` is called under the store's `lock`, if `fits` returns true.

    Locks are taken in the order of their `rank`. A store that writes side writes under its own lock has the rank 0.
    """

    key: str
    lock: threading.Lock
    fits: Callable[[], bool]
    write: Callable[[], None] = lambda: None
    rank: int = 1


def write_all(side_writes: PreparedWrites | None) -> None:
    """Make all side writes or none, under the limits of DynamoDB. Raises SideWriteConflict if a condition fails."""
    writes: Sequence[FakeWrite] = side_writes.writes if side_writes is not None else ()
    if len(writes) >= MAX_WRITES:
        raise ValueError("the job and its side writes are more than a transaction can have")
    if len({each.key for each in writes}) < len(writes):
        raise ValueError("a transaction must not write an item twice")
    with ExitStack() as locks:
        ranks = {each.lock: each.rank for each in writes}
        for lock in sorted(ranks, key=lambda each: (ranks[each], id(each))):
            locks.enter_context(lock)
        if not all(each.fits() for each in writes):
            raise SideWriteConflict
        for each in writes:
            each.write()
