"""Follow one job's log for a watcher, up to the terminal event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.clock import Clock
from shared.errors import FieldIssue, InvalidInput, MillraceError
from shared.jobs.ending import ensure_terminal_event
from shared.jobs.job import Job, JobStatus
from shared.jobs.queries import JobView
from shared.jobs.store import JobStore
from shared.log.event_log import EventLog, LogEntry, LogTail
from shared.log.events import Complete
from shared.log.pace import Pace
from shared.log.polls import LogPolls
from shared.log.reader import Frame, LogReader
from shared.observability.log import log

JOB_CHECK_SECONDS = 1.0
"""After this many seconds without an event, check the job itself: it may have ended or expired."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a connection watches: a job, and all events that it gets if the job has expired and is archived."""

    job: Job
    archived: Sequence[Frame] | None = None


def archived_frames(view: JobView, *, after: int) -> Sequence[Frame]:
    """Return the events of an archived job after number `after`: a snapshot of all but the last, and the last.

    Raises InvalidInput if the job had no event with this number.
    """
    last, end = view.transcript.seq, view.transcript.ended
    _refuse_unknown(after, last)
    if after == last or end is None:
        return ()
    sent = end.model_copy(update={"result": view.result}) if isinstance(end, Complete) else view.transcript.sent(end)
    before = () if after >= last - 1 else (Frame(last - 1, view.transcript.as_snapshot()),)
    return (*before, Frame(last, sent))


class JobWatcher:
    """Follow the logs of jobs for watchers."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        polls: LogPolls,
        result_of: Callable[[Job], dict[str, Any] | None],
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._polls = polls
        self._log = event_log
        self._result_of = result_of
        self._clock = clock

    def has_seen_terminal_event(self, job_id: str, *, after: int) -> bool:
        """Return whether event `after` is the terminal event, so that nothing follows it.

        It is not if the job has been resumed, also while the log does not show that yet.

        Raises InvalidInput if the log has no event with this number.
        """
        if after == 0:
            return False
        tail = self._log.tail(job_id)
        _refuse_unknown(after, tail.seq)
        return after == tail.seq and self.has_ended(job_id, tail)

    def has_ended(self, job_id: str, tail: LogTail) -> bool:
        """Return whether nothing will follow this end of the job's log. The job is read only if that is possible."""
        return tail.terminal and _ends(tail, self._jobs.get(job_id))

    async def follow(self, job_id: str, *, after: int) -> AsyncIterator[Frame | None]:
        """Yield the job's events after number `after` up to the terminal event, and None after each empty poll.

        The end of a generation before a resumption is not the job's end, and a snapshot replaces it.

        End without a terminal event only if the job has expired. If the process that ended the job died before it
        appended the terminal event, append it here.
        """
        follower = self.follower(job_id, after=after)
        pace = Pace()
        checked_at = time.monotonic()
        while True:
            polled_at = time.monotonic()
            entries = await self._polls.read(job_id, after=follower.position)
            frames = follower.take(entries)
            if frames is None:
                frames = await asyncio.to_thread(follower.poll, entries)
            pace.record_poll(frames, polled_at, follower.written_at)
            for frame in frames:
                yield frame
            if frames and frames[-1].terminal:
                return
            if pace.silence >= JOB_CHECK_SECONDS and time.monotonic() - checked_at >= JOB_CHECK_SECONDS:
                checked_at = time.monotonic()
                if not await asyncio.to_thread(self.check_job, job_id):
                    return
            if not frames:
                yield None
            await asyncio.sleep(pace.next_wait())

    def count_connection(self, job_id: str) -> None:
        """Add to the job what this connection has used. If the storage fails, it is not counted."""
        try:
            self._jobs.add_compute(job_id)
        except MillraceError as fault:
            log.warning("connection not counted", job_id=job_id, code=fault.code)

    def follower(self, job_id: str, *, after: int, consistent: bool = False) -> JobFollower:
        """Return one watcher's reader of the job's events after number `after`."""
        return JobFollower(self._jobs, self._log, self._result_of, job_id, after=after, consistent=consistent)

    def check_job(self, job_id: str) -> bool:
        """Return whether the job still exists; append its terminal event if that is missing."""
        job = self._jobs.get(job_id)
        if job is not None and job.status.ended:
            ensure_terminal_event(self._log, job, clock=self._clock)
        return job is not None


class JobFollower:
    """Read one job's events for one watcher, as every transport sends them."""

    def __init__(
        self,
        jobs: JobStore,
        event_log: EventLog,
        result_of: Callable[[Job], dict[str, Any] | None],
        job_id: str,
        *,
        after: int,
        consistent: bool,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._result_of = result_of
        self._job_id = job_id
        self._consistent = consistent
        self._never_resumed: Job | None = None
        self._reader = self._reader_after(after)

    @property
    def position(self) -> int:
        """Return the number of the last event that was returned."""
        return self._reader.position

    @property
    def written_at(self) -> float:
        """Return the time of the newest append that was returned, in Unix seconds of the writer's clock."""
        return self._reader.written_at

    def take(self, entries: Sequence[LogEntry]) -> list[Frame] | None:
        """Return the events of entries that were read after `position`; None if `poll` has to take them."""
        return self._reader.take(entries)

    def poll(self, entries: Sequence[LogEntry] | None = None) -> list[Frame]:
        """Return the events that are new since the last call, with the result in `complete`.

        `entries` are those after `position`, if they were read already.

        The end of a generation before a resumption is not the job's end, so a snapshot replaces it.
        """
        self._never_resumed = None
        frames = self._reader.poll(entries)
        if not frames or not frames[-1].terminal:
            return frames
        job = self._never_resumed or self._jobs.get(self._job_id)
        if not self._is_end(job, frames[-1]):
            # The job is stored before the log, when it is resumed and when it ends, so this is the end of a generation
            # before. Read it again together with what follows it, which makes a snapshot of it.
            self._reader = self._reader_after(frames.pop().id - 1)
        return [self._with_result(job, frame) for frame in frames]

    def _is_end(self, job: Job | None, frame: Frame) -> bool:
        """Return whether the terminal event is the end of the job's newest generation; `job` was read after it."""
        if self._never_resumed is not None:
            return self._never_resumed.status.ended
        tail = self._reader.tail
        return tail is not None and tail.seq == frame.id and _ends(tail, job)

    def _reader_after(self, seq: int) -> LogReader:
        return LogReader(self._log, self._job_id, after=seq, consistent=self._consistent, was_resumed=self._was_resumed)

    def _was_resumed(self) -> bool:
        """Whether the job may have been resumed. A resumption stores the job's new generation before its reset.

        So the terminal event of a first generation, which most jobs end in, is the log's last one. A completed job is
        never resumed, so an older read that shows one is enough.
        """
        job = self._jobs.get(self._job_id, consistent=False)
        if job is None or job.status is not JobStatus.COMPLETED:
            job = self._jobs.get(self._job_id)
        self._never_resumed = job if job is not None and job.generation == 1 else None
        return self._never_resumed is None

    def _with_result(self, job: Job | None, frame: Frame) -> Frame:
        if not isinstance(frame.event, Complete):
            return frame
        result = self._result_of(job) if job else None
        return replace(frame, event=frame.event.model_copy(update={"result": result}))


def _refuse_unknown(after: int, last: int) -> None:
    if after > last:
        raise InvalidInput([FieldIssue("Last-Event-ID", f"must be at most {last}, the id of the last event")])


def _ends(tail: LogTail, job: Job | None) -> bool:
    """Return whether nothing will follow this end of the log; a job that has expired, None, writes nothing more."""
    return tail.terminal if job is None else job.status.ended and tail.ends(job.generation)
