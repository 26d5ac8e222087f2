"""The event log of a job: attempts append events in order and without gaps, and only the newest attempt may write.

An append names the sequence number that it expects to be next (*compare and append*). If that number is taken, the
attempt knows that another attempt has superseded it or that the job has ended; there are no locks. One append can hold
several events: they become one DynamoDB item, whose key is the first number, so two writers that expect the same end of
the log always collide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.log.events import TERMINAL, ApplicationEvent, Delta, Item, StoredEvent, Subtask, Tool
from shared.log.fence import Fence
from shared.log.history import HistoryEntry

MAX_BATCH = 4
"""Maximum events in one append. A reader that needs event n looks for batches from n - MAX_BATCH + 1 on."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A stored event: its sequence number `seq`, from 1, and of its batch the `first` number, the time and the rest.

    `fence` is the batch's, as text: few readers compare it.
    """

    seq: int
    first: int
    at: datetime
    event: StoredEvent
    fence: str
    log_bytes: int

    @property
    def terminal(self) -> bool:
        """Return whether the event ends a generation of the job."""
        return self.event.type in TERMINAL


@dataclass(frozen=True, slots=True)
class Batch:
    """One append: `events` get the sequence numbers from `first` on.

    `log_bytes` is the number of bytes of text and items in the log after this append.

    `cursor` is the position in the model's running response after this text, or None if an attempt cannot re-attach to
    the response. The batch stores it together with the text, so that the two always agree.

    `writer` tells writers apart that share the fence; None if the fence belongs to one attempt only.

    `watched` is that of the log's end before this batch (see `LogTail`).

    `expires_at` is when the job expires (Unix seconds): the store keeps the batch at least until then.
    """

    first: int
    events: tuple[StoredEvent, ...]
    fence: Fence
    at: datetime
    log_bytes: int = 0
    cursor: str | None = None
    writer: str | None = None
    watched: int = field(default=0, kw_only=True)
    expires_at: int = field(kw_only=True)

    def __post_init__(self) -> None:
        if not 1 <= len(self.events) <= MAX_BATCH:
            raise ValueError(f"a batch holds 1 to {MAX_BATCH} events, not {len(self.events)}")

    def repeats(self, stored: Batch) -> bool:
        """Return whether the stored batch is this one: then the response to its first append was lost."""
        return (self.fence, self.writer, self.events) == (stored.fence, stored.writer, stored.events)

    @property
    def last(self) -> int:
        """Return the sequence number of the last event."""
        return self.first + len(self.events) - 1


@dataclass(frozen=True, slots=True)
class LogTail:
    """The end of a log: its last sequence number, and the fields of its last batch. An empty log ends at 0.

    `watched` is the first number of the newest batch that has replaced a mark (see `EventLog.mark_watched`); 0 if there
    is none. If it has grown, there is a new subscription.
    """

    seq: int = 0
    log_bytes: int = 0
    fence: Fence | None = None
    terminal: bool = False
    cursor: str | None = None
    watched: int = 0

    def ends(self, generation: int) -> bool:
        """Return whether the last event is the end of this generation of the job, and not of one before it."""
        return self.terminal and (1 if self.fence is None else self.fence.generation) >= generation


def end_shown_by(entries: Sequence[LogEntry]) -> LogTail:
    """Return the end of the log of which these are the newest entries, without `cursor` and `watched`."""
    if not entries:
        return LogTail()
    last = entries[-1]
    return LogTail(last.seq, last.log_bytes, Fence.parse(last.fence), last.terminal)


@dataclass(frozen=True, slots=True)
class LogSnapshot:
    """Everything up to and including event `seq` in one record.

    `log_bytes` is the size of the log up to there. `checkpoint_text` is the text when the stage began. `history` is
    that of the covered events; a snapshot of an earlier version has none, so `history_is_whole` is false.
    """

    seq: int
    text: str
    stage: str | None
    progress: float
    log_bytes: int = 0
    items: tuple[Item, ...] = ()
    subtasks: tuple[Subtask, ...] = ()
    checkpoint_text: str = ""
    history: tuple[HistoryEntry, ...] = field(default=(), compare=False)
    history_is_whole: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How many events, and bytes of what they carry, a log may gain after a snapshot before it is compacted again.

    It is compacted after the append that reaches a bound, so a log exceeds its bounds by one append at most.
    """

    max_events: int = 1000
    max_bytes: int = 262_144


class SequenceTaken(Exception):
    """Another batch already has this sequence number."""


class EventLog(Protocol):
    """Store the logs of all jobs. `LogWriter` decides whether an attempt may write; this port does not."""

    def append(self, job_id: str, batch: Batch) -> int:
        """Store the batch, and return `watched` of the log's new end: the batch's own, or its first number.

        If there is a mark in its place, the batch replaces it. Only then the append takes two requests.

        Raises SequenceTaken if another batch has its first sequence number.
        """

    def mark_watched(self, job_id: str, *, expires_at: int) -> int:
        """Let the next append learn that a connection has subscribed; return the number of the last event before it.

        The mark has the next sequence number, but is no event: no read returns it. It expires at `expires_at` (Unix
        seconds), or later if there is a mark already that does.
        """

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        """Return the stored entries after number `after`, in order.

        The first entry may have a higher number than `after + 1`, because compaction has removed events. Without
        `consistent`, the newest entries may be missing.
        """

    def tail(self, job_id: str) -> LogTail:
        """Return the end of the log, strongly consistent."""

    def progress_of(self, job_ids: Sequence[str]) -> Mapping[str, float]:
        """Return the progress at the end of these logs, by job; without the jobs whose logs name none.

        The newest entries may be missing. A log is read for this in at most three requests, mostly in one.
        """

    def snapshot(self, job_id: str) -> LogSnapshot | None:
        """Return the newest snapshot, strongly consistent; None if there is none."""

    def compact(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        """Store the snapshot unless a newer one is stored, then remove the events of the batches that it covers.

        `expires_at` is when the job expires (Unix seconds): the snapshot is kept at least until then.

        The newest batch keeps its events, because it is the end of the log. The sequence numbers of the others stay
        taken: however late an attempt appends that read the log up to one of them, it collides. DynamoDB deletes the
        empty items when they expire.
        """

    def renew(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        """Store the snapshot unless a newer one is stored, and leave the events that it covers until they expire.

        `expires_at` is when the job now expires (Unix seconds).
        """

    def erase(self, job_id: str, *, expires_at: int) -> None:
        """Remove what the events and the snapshot of an ended job say, and all its files. It can be repeated.

        The sequence numbers stay taken until `expires_at` (Unix seconds), so that a late attempt cannot append, and the
        log ends with `cancelled`.
        """

    def purge(self, job_id: str) -> None:
        """Remove what is left of an erased log, and the job's files, when no attempt can append any more."""


def json_bytes(value: Any) -> int:
    """Return the length of the value as JSON in UTF-8, as the log stores it: text is not escaped as ASCII."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


def text_bytes(events: Sequence[StoredEvent]) -> int:
    """Return how many bytes of text, items, tool calls and events of an application the events add to the log."""
    return sum(_size(event) for event in events)


def _size(event: StoredEvent) -> int:
    match event:
        case Delta(text=text):
            return len(text.encode())
        case Item(data=data):
            return json_bytes(data)
        case Tool() | Subtask() | ApplicationEvent():
            return len(event.model_dump_json(exclude_none=True).encode())
        case _:
            return 0
