"""Read a log while it grows: every event once and in order, from any sequence number."""

from __future__ import annotations

from dataclasses import dataclass

from shared.log.event_log import EventLog
from shared.log.events import TERMINAL, StreamEvent
from shared.log.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Frame:
    """One event for a watcher; `id` is its number in the log."""

    id: int
    event: StreamEvent

    @property
    def terminal(self) -> bool:
        return self.event.type in TERMINAL


class LogReader:
    """A place in one job's log. Hands out every event beyond it once, in order, or a snapshot of what is gone."""

    def __init__(self, log: EventLog, job_id: str, *, after: int = 0, consistent: bool = False) -> None:
        self._log = log
        self._job_id = job_id
        self._consistent = consistent
        self.position = after
        self.written_at = 0.0
        """When the newest append that was handed out was made, in Unix seconds by its writer's clock."""

    def poll(self) -> list[Frame]:
        """What has come since the last call."""
        from_the_start = self.position == 0
        frames: list[Frame] = []
        for entry in self._log.read(self._job_id, after=self.position, consistent=self._consistent):
            if entry.seq > self.position + 1:
                frames.extend(self._across_gap())
            if entry.seq == self.position + 1:
                self.position = entry.seq
                self.written_at = entry.at.timestamp()
                frames.append(Frame(entry.seq, entry.event))
            elif entry.seq > self.position:
                break  # a read that lags may show a gap; the next one fills it
        return _without_earlier_ends(frames) if from_the_start else frames

    def _across_gap(self) -> list[Frame]:
        """What covers the missing events, if anything does."""
        snapshot = self._log.snapshot(self._job_id)
        if snapshot is None or snapshot.seq <= self.position:
            return []
        self.position = snapshot.seq
        whole = Transcript.of_snapshot(snapshot).as_snapshot()
        return [Frame(snapshot.seq, whole)]


def _without_earlier_ends(frames: list[Frame]) -> list[Frame]:
    """For a newcomer to a resumed job: one snapshot in place of everything up to the end it was resumed from."""
    ends = [place for place, frame in enumerate(frames[:-1]) if frame.terminal]
    if not ends:
        return frames
    transcript = Transcript()
    for frame in frames[: ends[-1] + 1]:
        transcript.apply(frame.id, frame.event)
    return [Frame(transcript.seq, transcript.as_snapshot()), *frames[ends[-1] + 1 :]]


def read_transcript(log: EventLog, job_id: str, *, consistent: bool = False) -> Transcript:
    """What the job's log adds up to."""
    transcript = Transcript()
    for frame in LogReader(log, job_id, consistent=consistent).poll():
        transcript.apply(frame.id, frame.event)
    return transcript
