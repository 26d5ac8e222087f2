"""Reading a job's log while it grows: nothing lost, nothing twice, from any place, at the least number of looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from shared.clock import Clock
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.endings import ensure_terminal_event
from shared.jobs.event_log import EventLog
from shared.jobs.events import TERMINAL, Complete, Delta, StreamEvent
from shared.jobs.job import Job
from shared.jobs.store import JobStore
from shared.jobs.transcript import Transcript
from shared.jobs.writer import COALESCE_SECONDS

SHORTEST_WAIT = 0.025
LONGEST_WAIT = 0.25
EARLY_LOOK = 0.002
"""Seconds before a delta is due at which it is first looked for."""

CLOSE_LOOK = 0.006
"""Seconds between two looks from then on."""

JOB_CHECK_SECONDS = 1.0
"""After this long without an event the job itself is looked at: it may have ended or expired."""


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
        whole = Transcript.of_snapshot(snapshot).whole()
        return [Frame(snapshot.seq, whole)]


def _without_earlier_ends(frames: list[Frame]) -> list[Frame]:
    """For a newcomer to a resumed job: one snapshot in place of everything up to the end it was resumed from."""
    ends = [place for place, frame in enumerate(frames[:-1]) if frame.terminal]
    if not ends:
        return frames
    transcript = Transcript()
    for frame in frames[: ends[-1] + 1]:
        transcript.apply(frame.id, frame.event)
    return [Frame(transcript.seq, transcript.whole()), *frames[ends[-1] + 1 :]]


def transcript_of(log: EventLog, job_id: str, *, consistent: bool = False) -> Transcript:
    """What the job's log adds up to."""
    transcript = Transcript()
    for frame in LogReader(log, job_id, consistent=consistent).poll():
        transcript.apply(frame.id, frame.event)
    return transcript


class Pace:
    """When to look again.

    The writer appends one coalescing interval apart and says when, so the next delta is due an interval after that, as
    much later as deltas are visible at the soonest. The first look for it is a little early: the estimate moves down to
    the truth, until a look is too early and is repeated 6 ms later. That is one and a half looks per delta, each seen
    3 ms late on average, and what came late once does not delay what follows. In silence, a tenth of its length so
    far: a watcher who has waited a second is told at most a tenth of a second late.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._found_at = monotonic()
        self._asked_at: float | None = None
        self._delta_due: float | None = None
        self._visible_after: float | None = None
        self._uncertain = 0.0
        self._look_seconds = 0.0

    @property
    def silence(self) -> float:
        """Seconds since something was found."""
        return self._monotonic() - self._found_at

    def looked(self, frames: list[Frame], asked_at: float, written_at: float = 0.0) -> None:
        """Take in what a look that began at `asked_at` has found, and how long it took.

        `written_at` is the time of the newest append that was found, on any clock that runs as fast as ours.
        """
        now = self._monotonic()
        self._look_seconds = now - asked_at
        waited = COALESCE_SECONDS if self._asked_at is None else asked_at - self._asked_at
        self._asked_at = asked_at
        if not frames:
            return
        self._found_at = now
        flowing = isinstance(frames[-1].event, Delta) or (len(frames) > 1 and isinstance(frames[-2].event, Delta))
        if not flowing:
            self._delta_due = None
            return
        visible_after = self._estimate(asked_at - written_at, waited)
        self._delta_due = written_at + COALESCE_SECONDS + visible_after - EARLY_LOOK

    def _estimate(self, seen_after: float, waited: float) -> float:
        """From an append to where it can be seen, on our two clocks: what it took this time, if that was not late."""
        if self._visible_after is None:
            # It came at some time in the wait before this look, or before we came.
            self._uncertain = min(waited, COALESCE_SECONDS)
            self._visible_after = seen_after - self._uncertain
        else:
            # Once late is chance; late again and again is a writer with another clock.
            most = self._visible_after + max(CLOSE_LOOK, self._uncertain)
            self._uncertain = 2 * (most - self._visible_after) if seen_after > most else 0.0
            self._visible_after = min(seen_after, most)
        return self._visible_after

    def wait(self) -> float:
        """Seconds until the next look."""
        if self._delta_due is not None:
            until_due = self._delta_due - self._monotonic()
            if until_due > 0:
                return until_due
            if self.silence < 1.5 * COALESCE_SECONDS:
                # A database that takes its time is busy: asking faster than it answers would only keep it so.
                return max(CLOSE_LOOK, self._look_seconds)
        return min(LONGEST_WAIT, max(SHORTEST_WAIT, self.silence / 10))


class JobWatcher:
    """Follows jobs for watchers."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        result_of: Callable[[Job], dict[str, Any] | None],
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._result_of = result_of
        self._clock = clock

    def has_seen_the_end(self, job_id: str, *, after: int) -> bool:
        """Whether nothing will follow event `after`. Raises InvalidInput when there is no such event."""
        if after == 0:
            return False
        tail = self._log.tail(job_id)
        if after > tail.seq:
            raise InvalidInput([FieldIssue("Last-Event-ID", f"must be at most {tail.seq}, the id of the last event")])
        return tail.terminal and after == tail.seq

    async def follow(self, job_id: str, *, after: int) -> AsyncIterator[Frame | None]:
        """The job's events beyond `after`, as they come, to the terminal one; None whenever there was nothing to see.

        Ends without a terminal event only when the job has expired. A job found ended without its terminal event (the
        process that ended it died in between) gets it here.
        """
        reader = LogReader(self._log, job_id, after=after)
        pace = Pace()
        checked_at = time.monotonic()
        while True:
            asked_at = time.monotonic()
            frames = await asyncio.to_thread(reader.poll)
            pace.looked(frames, asked_at, reader.written_at)
            for frame in frames:
                yield await self._complete(job_id, frame)
            if frames and frames[-1].terminal:
                return
            if pace.silence >= JOB_CHECK_SECONDS and time.monotonic() - checked_at >= JOB_CHECK_SECONDS:
                checked_at = time.monotonic()
                if not await asyncio.to_thread(self._still_there, job_id):
                    return
            if not frames:
                yield None
            await asyncio.sleep(pace.wait())

    async def _complete(self, job_id: str, frame: Frame) -> Frame:
        if not isinstance(frame.event, Complete):
            return frame
        job = await asyncio.to_thread(self._jobs.get, job_id)
        result = await asyncio.to_thread(self._result_of, job) if job else None
        return replace(frame, event=frame.event.model_copy(update={"result": result}))

    def _still_there(self, job_id: str) -> bool:
        job = self._jobs.get(job_id)
        if job is not None and job.status.ended:
            ensure_terminal_event(self._log, job, clock=self._clock)
        return job is not None
