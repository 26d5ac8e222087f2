"""Read a log while it grows: every event once and in order, from any sequence number."""

from __future__ import annotations

from dataclasses import dataclass

from shared.log.event_log import EventLog
from shared.log.events import TERMINAL, StreamEvent
from shared.log.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Frame:
    """One event for a watcher; `id` is its sequence number."""

    id: int
    event: StreamEvent

    @property
    def terminal(self) -> bool:
        """Return whether the event ends a generation of the job."""
        return self.event.type in TERMINAL


class LogReader:
    """Read one job's log after a sequence number: each event once and in order.

    If compaction has deleted the next events, the reader returns the snapshot that covers them.
    """

    def __init__(self, log: EventLog, job_id: str, *, after: int = 0, consistent: bool = False) -> None:
        self._log = log
        self._job_id = job_id
        self._consistent = consistent
        self.position = after
        """The sequence number of the last event that was returned."""
        self.written_at = 0.0
        """The time of the newest append that was returned, in Unix seconds of the writer's clock."""

    def poll(self) -> list[Frame]:
        """Return the events that are new since the last call.

        The first poll of a resumed job's log from the start returns one snapshot for all earlier generations.
        """
        from_the_start = self.position == 0
        frames: list[Frame] = []
        for entry in self._log.read(self._job_id, after=self.position, consistent=self._consistent):
            if entry.seq > self.position + 1:
                frames.extend(self._snapshot_over_gap())
            if entry.seq == self.position + 1:
                self.position = entry.seq
                self.written_at = entry.at.timestamp()
                frames.append(Frame(entry.seq, entry.event))
            elif entry.seq > self.position:
                break  # an eventually consistent read can miss events; the next poll finds them
        return _merge_earlier_generations(frames) if from_the_start else frames

    def _snapshot_over_gap(self) -> list[Frame]:
        """Return the snapshot that covers the missing events, or nothing if there is none."""
        snapshot = self._log.snapshot(self._job_id)
        if snapshot is None or snapshot.seq <= self.position:
            return []
        self.position = snapshot.seq
        return [Frame(snapshot.seq, Transcript.of_snapshot(snapshot).as_snapshot())]


def _merge_earlier_generations(frames: list[Frame]) -> list[Frame]:
    """Replace everything up to the terminal event before the last resumption by one snapshot."""
    terminal_indexes = [index for index, frame in enumerate(frames[:-1]) if frame.terminal]
    if not terminal_indexes:
        return frames
    start = terminal_indexes[-1] + 1
    transcript = Transcript()
    for frame in frames[:start]:
        transcript.apply(frame.id, frame.event)
    return [Frame(transcript.seq, transcript.as_snapshot()), *frames[start:]]


def read_transcript(log: EventLog, job_id: str, *, consistent: bool = False) -> Transcript:
    """Read the job's whole log and return its transcript."""
    transcript = Transcript()
    for frame in LogReader(log, job_id, consistent=consistent).poll():
        transcript.apply(frame.id, frame.event)
    return transcript
