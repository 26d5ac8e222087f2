"""The event log of a job: appended in order, without gaps, by whoever may still write.

An append names the sequence number it expects to be next (*compare and append*). Losing that race is how an attempt
learns that another has taken over or that the job has ended; there are no locks. Several events can share one append:
they become one item, keyed by its first number, so two writers who agree on where the log ends always collide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.log.events import TERMINAL, Delta, Item, Reset, StoredEvent
from shared.log.fence import Fence

MAX_BATCH = 4
"""The most events one append may hold: how far before a given number its item can begin."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event at its place: `seq` counts from 1; `first` is where its batch begins; `at` is the time of the append."""

    seq: int
    first: int
    at: datetime
    event: StoredEvent

    @property
    def terminal(self) -> bool:
        return self.event.type in TERMINAL


@dataclass(frozen=True, slots=True)
class Batch:
    """One append: `events` take the numbers from `first` on. `log_bytes` is the size of the log's text with them.

    `cursor` is where the model's running response stands after this text, if that can be resumed: stored with the text
    it belongs to, so that the two cannot disagree.
    """

    first: int
    events: tuple[StoredEvent, ...]
    fence: Fence
    at: datetime
    log_bytes: int = 0
    cursor: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.events) <= MAX_BATCH:
            raise ValueError(f"a batch holds 1 to {MAX_BATCH} events, not {len(self.events)}")

    @property
    def last(self) -> int:
        return self.first + len(self.events) - 1


@dataclass(frozen=True, slots=True)
class LogTail:
    """Where the log ends. An empty log ends at 0, written by nobody."""

    seq: int = 0
    log_bytes: int = 0
    fence: Fence | None = None
    terminal: bool = False
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class LogSnapshot:
    """Everything up to and including `seq`, folded."""

    seq: int
    text: str
    stage: str | None
    progress: float
    log_bytes: int = 0
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much of a log is kept as single events before the older ones are folded into a snapshot."""

    max_events: int = 1000
    max_bytes: int = 262_144


class SequenceTaken(Exception):
    """Another append already holds this place."""


class EventLog(Protocol):
    """Where logs are kept. Nothing here judges who may write: `LogWriter` does."""

    def append(self, job_id: str, batch: Batch) -> None:
        """Store the batch; raise SequenceTaken when its first number is taken by another batch."""

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        """The stored entries beyond `after`, in order; may start beyond a gap, and lags unless it is `consistent`."""

    def tail(self, job_id: str) -> LogTail:
        """Where the log ends, as of now."""

    def snapshot(self, job_id: str) -> LogSnapshot | None:
        """The newest snapshot, as of now."""

    def compact(self, job_id: str, snapshot: LogSnapshot) -> None:
        """Store the snapshot unless a newer one stands, then drop what it covers.

        Kept are the newest batch, where the log ends, and the first batch of every fence: it holds the place at which
        whoever wrote before would go on, so that however late it tries, it finds its place taken.
        """


def text_bytes(events: Sequence[StoredEvent]) -> int:
    """Return how many bytes of text and of items the events add to the log."""
    return sum(_size(event) for event in events)


def _size(event: StoredEvent) -> int:
    match event:
        case Delta(text=text) | Reset(text=text):
            return len(text.encode())
        case Item(data=data):
            return len(json.dumps(data).encode())
        case _:
            return 0
