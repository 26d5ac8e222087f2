"""The port to what is stored of an owner. Each part of the core and each application implements it for its own data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from shared.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ErasedStep:
    """The result of one step: how many things it has erased, and whether it has found nothing else to erase.

    `purged` is how many it has purged of those that were erased before.
    """

    count: int
    done: bool
    purged: int = 0


class OwnerData(Protocol):
    """One kind of what is stored of owners, such as their runs.

    The core names its own in `Core.owner_data`; an application returns its own from `owner_data()` in its
    `bootstrap.py`. The contract tests hold that each kind of key and each folder of the bucket has one such port.
    """

    @property
    def name(self) -> str:
        """Return the name of this kind in the report of an erasure, such as `runs`. No other kind has it."""

    @property
    def holds(self) -> str:
        """Return in a few words what this kind is, for the report: `brainstorming runs with their ideas`."""

    @property
    def places(self) -> tuple[str, ...]:
        """Return where it is stored.

        A place is a table and the first part of a key (`DurableTable RUN#`), for items in the partition of their
        owner also the first part of the sort key (`JobsTable USER# LIMIT#`), or the bucket and a folder
        (`ArtefactBucket runs/`).
        """

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:
        """Erase things of the owner: at least one, if there is one, and no further one from the time `until` on.

        Each call continues where the last one ended, also if that was killed. Something that is erased may leave an
        item behind that keeps late writers out, such as the emptied log of a job. `settled` says that no such writer
        can run any more: then purge it of that item too.

        Raises the storage faults of `shared/errors.py`. The step is then repeated.
        """


def erase_each(found: Iterable[T], erase: Callable[[T], object], *, clock: Clock, until: datetime) -> ErasedStep:
    """Erase things one by one, at least one, until the time is `until`, and return the step."""
    count = 0
    for each in found:
        if count and clock() >= until:
            return ErasedStep(count, done=False)
        erase(each)
        count += 1
    return ErasedStep(count, done=True)


def erase_then_purge(
    found: Iterable[T],
    erase: Callable[[T], object],
    *,
    erased: Callable[[], Iterable[T]],
    purge: Callable[[T], object],
    clock: Clock,
    until: datetime,
    settled: bool,
) -> ErasedStep:
    """Erase things as `erase_each` does. If none is found and no writer is left (`settled`), purge those `erased`."""
    step = erase_each(found, erase, clock=clock, until=until)
    if not settled or not step.done or step.count:
        return step
    purging = erase_each(erased(), purge, clock=clock, until=until)
    return ErasedStep(0, purging.done, purged=purging.count)
