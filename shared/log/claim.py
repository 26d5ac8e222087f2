"""Claim the end of a log: the compare-and-append that makes one attempt the writer and stops every earlier one."""

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
    """Raise AttemptStopped if the end of the log shows that `fence` may not write any more."""
    if tail.fence is None:
        return
    if tail.terminal and tail.fence.generation >= fence.generation:
        raise JobEnded("the job has ended")
    if tail.fence > fence:
        raise AttemptSuperseded("a newer attempt has taken over")


@overload
def claim(
    log: EventLog, job_id: str, fence: Fence, opening: Events | Callable[[LogTail], Opening], *, at: Clock
) -> LogTail: ...


@overload
def claim(
    log: EventLog, job_id: str, fence: Fence, opening: Events, *, at: Clock, expected: LogTail
) -> LogTail | None: ...


def claim(
    log: EventLog,
    job_id: str,
    fence: Fence,
    opening: Events | Callable[[LogTail], Opening],
    *,
    at: Clock,
    expected: LogTail | None = None,
) -> LogTail | None:
    """Append `opening` at the end of the log and return the new end.

    After this append, the next append of every earlier attempt fails. `opening` may be a function of the log's end; it
    is called again if the log has grown before the append. With `expected`, append only if the log still ends there,
    and return None if it does not: this saves the read of the end.

    Raises:
        AttemptStopped: `fence` may not write at the end of the log.
    """
    if expected is not None:
        return _append_after(log, job_id, fence, _opening_at(expected, opening), expected, at=at)
    while True:
        tail = log.tail(job_id)
        raise_if_stopped(tail, fence)
        claimed = _append_after(log, job_id, fence, _opening_at(tail, opening), tail, at=at)
        if claimed is None:
            continue
        end = log.tail(job_id)
        if end.seq > claimed.seq:
            # Compaction had removed the batch at this number after the first read, so the append did not collide.
            raise_if_stopped(end, fence)
            raise AttemptSuperseded("another attempt has appended in the meantime")
        return claimed


def _opening_at(tail: LogTail, opening: Events | Callable[[LogTail], Opening]) -> Opening:
    return opening(tail) if callable(opening) else Opening(opening)


def _append_after(
    log: EventLog, job_id: str, fence: Fence, opening: Opening, tail: LogTail, *, at: Clock
) -> LogTail | None:
    """Append behind `tail`; return None if another batch already has the next number."""
    raise_if_stopped(tail, fence)
    events = opening.events
    batch = Batch(tail.seq + 1, events, fence, at(), tail.log_bytes + text_bytes(events), opening.cursor)
    try:
        log.append(job_id, batch)
    except SequenceTaken:
        return None
    return LogTail(batch.last, batch.log_bytes, fence, events[-1].type in TERMINAL, opening.cursor)
