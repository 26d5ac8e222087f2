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

    If compaction has removed the next events, the reader returns the snapshot that covers them.
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

        A terminal event that is not the log's last one belongs to a generation before a resumption. One snapshot
        replaces it and everything before it, so that no watcher takes it for the end.
        """
        frames = self._read(consistent=self._consistent)
        if frames and frames[-1].terminal and self._log.tail(self._job_id).seq > self.position:
            frames += self._read(consistent=True)  # the first read was too old to contain the resumption
        ends = [frame.id for frame in frames[:-1] if frame.terminal]
        return self._without_earlier_generations(frames, ends[-1]) if ends else frames

    def _read(self, *, consistent: bool) -> list[Frame]:
        frames: list[Frame] = []
        for entry in self._log.read(self._job_id, after=self.position, consistent=consistent):
            if entry.seq > self.position + 1:
                frames.extend(self._snapshot_over_gap())
            if entry.seq == self.position + 1:
                self.position = entry.seq
                self.written_at = entry.at.timestamp()
                frames.append(Frame(entry.seq, entry.event))
            elif entry.seq > self.position:
                break  # an eventually consistent read can miss events; the next poll finds them
        return frames

    def _without_earlier_generations(self, frames: list[Frame], end: int) -> list[Frame]:
        """Replace the frames up to the terminal event `end` by one snapshot of the log up to there."""
        whole = LogReader(self._log, self._job_id)
        transcript = Transcript()
        for frame in whole._read(consistent=True):
            if transcript.seq < end:
                transcript.apply(frame.id, frame.event)
        # If the log was compacted in the meantime, its own snapshot may cover more than the earlier generations.
        self.position = max(self.position, transcript.seq)
        later = [frame for frame in frames if frame.id > transcript.seq]
        return [Frame(transcript.seq, transcript.as_snapshot()), *later]

    def _snapshot_over_gap(self) -> list[Frame]:
        """Return the snapshot that covers the missing events, or nothing if there is none."""
        snapshot = self._log.snapshot(self._job_id)
        if snapshot is None or snapshot.seq <= self.position:
            return []
        self.position = snapshot.seq
        return [Frame(snapshot.seq, Transcript.of_snapshot(snapshot).as_snapshot())]


def read_transcript(log: EventLog, job_id: str, *, consistent: bool = False) -> Transcript:
    """Read the job's whole log and return its transcript."""
    transcript = Transcript()
    for frame in LogReader(log, job_id, consistent=consistent).poll():
        transcript.apply(frame.id, frame.event)
    return transcript
