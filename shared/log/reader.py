"""Read a log while it grows: every event once and in order, from any sequence number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.log.event_log import EventLog, LogEntry, LogTail
from shared.log.events import TERMINAL, StoredReset, StreamEvent
from shared.log.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Frame:
    """One event for a watcher; `id` is its sequence number, `at` the time of its append, None if that is not known."""

    id: int
    event: StreamEvent
    at: datetime | None = field(default=None, compare=False)

    @property
    def terminal(self) -> bool:
        """Return whether the event ends a generation of the job."""
        return self.event.type in TERMINAL


class LogReader:
    """Read one job's log after a sequence number: each event once and in order.

    If compaction has removed the next events, the reader returns the snapshot that covers them. A stored reset names
    the text that it keeps, and the reader returns it with that text. A reader that began in the middle of the log reads
    the events before once, for its first reset.
    """

    def __init__(
        self,
        log: EventLog,
        job_id: str,
        *,
        after: int = 0,
        consistent: bool = False,
        was_resumed: Callable[[], bool] = lambda: True,
    ) -> None:
        """`was_resumed` is called for a terminal event: whether the job may have been resumed before this call."""
        self._log = log
        self._was_resumed = was_resumed
        self._job_id = job_id
        self._consistent = consistent
        self._is_whole = after == 0
        self.transcript = Transcript(seq=after)
        """What the returned events amount to; of the whole log, if the reader began at 0."""
        self.last_read: Sequence[LogEntry] = ()
        """What the log returned the last time that it was read."""
        self.written_at = 0.0
        """The time of the newest append that was returned, in Unix seconds of the writer's clock."""
        self.tail: LogTail | None = None
        """The log's end as it was read behind the last terminal event of a job that may have been resumed."""

    @property
    def position(self) -> int:
        """Return the sequence number of the last event that was returned."""
        return self.transcript.seq

    def take(self, entries: Sequence[LogEntry]) -> list[Frame] | None:
        """Return the events of entries that were read after `position`; None if that needs further requests.

        Then `poll` has to take the entries.
        """
        needs_more = any(
            entry.seq != seq or entry.terminal or isinstance(entry.event, StoredReset)
            for seq, entry in enumerate(entries, self.position + 1)
        )
        return None if needs_more else self._read(consistent=self._consistent, entries=entries)

    def poll(self, entries: Sequence[LogEntry] | None = None) -> list[Frame]:
        """Return the events that are new since the last call; `entries` if they were read already.

        A terminal event that is not the log's last one belongs to a generation before a resumption. One snapshot
        replaces it and everything before it, so that no watcher takes it for the end.
        """
        frames = self._read(consistent=self._consistent, entries=entries)
        if frames and frames[-1].terminal and self._was_resumed():
            self.tail = self._log.tail(self._job_id)
            if self.tail.seq > self.position:
                frames += self._read(consistent=True)  # the first read was too old to contain the resumption
        ends = [frame.id for frame in frames[:-1] if frame.terminal]
        return self._without_earlier_generations(frames, ends[-1]) if ends else frames

    def _read(
        self, *, consistent: bool, up_to: float = math.inf, entries: Sequence[LogEntry] | None = None
    ) -> list[Frame]:
        frames: list[Frame] = []
        if entries is None:
            entries = self._log.read(self._job_id, after=self.position, consistent=consistent)
        self.last_read = entries
        for entry in self.last_read:
            if entry.seq > self.position + 1 and self.position < up_to:
                frames.extend(self._snapshot_over_gap())
            if self.position >= up_to:
                break
            if entry.seq == self.position + 1 and isinstance(entry.event, StoredReset):
                frames.extend(self._learn_the_text())
            if entry.seq == self.position + 1 and (self._is_whole or not isinstance(entry.event, StoredReset)):
                frames.append(Frame(entry.seq, self.transcript.sent(entry.event), entry.at))
                self.transcript.apply(entry.seq, entry.event, entry.at)
                self.written_at = entry.at.timestamp()
            elif entry.seq > self.position:
                break  # an eventually consistent read can miss events; the next poll finds them
        return frames

    def _learn_the_text(self) -> list[Frame]:
        """Read the events before `position`, if the reader began after them.

        If the log was compacted beyond `position` in the meantime, return the snapshot.
        """
        whole = self.transcript if self._is_whole else self._whole_up_to(self.position)
        if whole.seq < self.position:
            return []
        frames = [Frame(whole.seq, whole.as_snapshot())] if whole.seq > self.position else []
        self.transcript, self._is_whole = whole, True
        return frames

    def _whole_up_to(self, seq: int) -> Transcript:
        """Return the transcript of the events up to `seq`, or of more if the log's snapshot covers more."""
        whole = LogReader(self._log, self._job_id)
        whole._read(consistent=True, up_to=seq)
        return whole.transcript

    def _without_earlier_generations(self, frames: list[Frame], end: int) -> list[Frame]:
        """Replace the frames up to the terminal event `end` by one snapshot of the log up to there."""
        whole = self._whole_up_to(end)
        if whole.seq > self.position:
            # The log was compacted in the meantime, and its own snapshot covers more than the earlier generations.
            self.transcript, self._is_whole = whole, True
        later = [frame for frame in frames if frame.id > whole.seq]
        return [Frame(whole.seq, whole.as_snapshot()), *later]

    def _snapshot_over_gap(self) -> list[Frame]:
        """Return the snapshot that covers the missing events, or nothing if there is none."""
        snapshot = self._log.snapshot(self._job_id)
        if snapshot is None or snapshot.seq <= self.position:
            return []
        self.transcript, self._is_whole = Transcript.of_snapshot(snapshot), True
        return [Frame(snapshot.seq, self.transcript.as_snapshot())]


def read_transcript(log: EventLog, job_id: str, *, consistent: bool = False) -> Transcript:
    """Read the job's whole log and return its transcript."""
    reader = LogReader(log, job_id, consistent=consistent)
    reader.poll()
    return reader.transcript


def read_log(log: EventLog, job_id: str, *, consistent: bool = True) -> tuple[Transcript, Sequence[LogEntry]]:
    """Read the log of an ended job once. Return its transcript, and the entries that it has.

    What is appended after this read, such as the reset of a resumption, is not in it. Without `consistent` newer events
    can be missing: then the transcript ends before the first of them.
    """
    reader = LogReader(log, job_id, consistent=consistent, was_resumed=lambda: False)
    reader.poll()
    return reader.transcript, reader.last_read
