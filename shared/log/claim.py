"""Claim the end of a log: a compare-and-append makes one attempt the writer and stops every earlier attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, overload

from shared.clock import Clock
from shared.errors import AttemptSuperseded, JobEnded
from shared.log.event_log import Batch, EventLog, LogTail, SequenceTaken, text_bytes
from shared.log.events import TERMINAL, StoredEvent
from shared.log.fence import Fence


@dataclass(frozen=True, slots=True)
class Opening:
    """The first events that an attempt appends, and the model cursor after them (see `Batch`)."""

    events: tuple[StoredEvent, ...]
    cursor: str | None = None


Events: TypeAlias = tuple[StoredEvent, ...]


def raise_if_stopped(tail: LogTail, fence: Fence) -> None:
    """Raise AttemptStopped if the end of the log shows that the attempt with `fence` may no longer write."""
    if tail.fence is None:
        return
    if tail.terminal and tail.fence.generation >= fence.generation:
        raise JobEnded("the job has ended")
    if tail.fence > fence:
        raise AttemptSuperseded("a newer attempt has claimed the job")


def raise_if_expired(expires_at: int, clock: Clock) -> None:
    """Raise JobEnded if a job that expires at `expires_at` (Unix seconds) has expired: its attempts must stop."""
    if clock().timestamp() >= expires_at:
        raise JobEnded("the job has expired")


@overload
def claim(
    log: EventLog,
    job_id: str,
    fence: Fence,
    opening: Events | Callable[[LogTail], Opening],
    *,
    at: Clock,
    expires_at: int,
) -> LogTail: ...


@overload
def claim(
    log: EventLog, job_id: str, fence: Fence, opening: Events, *, at: Clock, expires_at: int, expected: LogTail
) -> LogTail | None: ...


def claim(
    log: EventLog,
    job_id: str,
    fence: Fence,
    opening: Events | Callable[[LogTail], Opening],
    *,
    at: Clock,
    expires_at: int,
    expected: LogTail | None = None,
) -> LogTail | None:
    """Append `opening` at the end of the log and return the new end.

    After this append, the next append of every earlier attempt fails. `opening` can be a function of the log's end:
    `claim` calls it again if the log grows before the append. With `expected`, append only if the log still ends there,
    and return None otherwise; this saves reading the end. `expires_at` is when the job expires (Unix seconds).

    Raises:
        AttemptStopped: the attempt with `fence` may no longer write.
    """
    if expected is not None:
        return _append_after(log, job_id, fence, _opening_at(expected, opening), expected, at=at, expires_at=expires_at)
    while True:
        tail = log.tail(job_id)
        raise_if_stopped(tail, fence)
        claimed = _append_after(log, job_id, fence, _opening_at(tail, opening), tail, at=at, expires_at=expires_at)
        if claimed is not None:
            return claimed


def _opening_at(tail: LogTail, opening: Events | Callable[[LogTail], Opening]) -> Opening:
    return opening(tail) if callable(opening) else Opening(opening)


def _append_after(
    log: EventLog, job_id: str, fence: Fence, opening: Opening, tail: LogTail, *, at: Clock, expires_at: int
) -> LogTail | None:
    """Append after `tail` and return the new end; return None if another batch already has the next number."""
    raise_if_stopped(tail, fence)
    events = opening.events
    size = tail.log_bytes + text_bytes(events)
    batch = Batch(tail.seq + 1, events, fence, at(), size, opening.cursor, watched=tail.watched, expires_at=expires_at)
    try:
        watched = log.append(job_id, batch)
    except SequenceTaken:
        return None
    return LogTail(batch.last, batch.log_bytes, fence, events[-1].type in TERMINAL, opening.cursor, watched)
