"""Append to a job's log under a fence that several attempts share: each append finds the end of the log again."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence

from shared.clock import Clock
from shared.log.claim import raise_if_expired, raise_if_stopped
from shared.log.compaction import compact
from shared.log.event_log import Batch, EventLog, LogBounds, LogTail, SequenceTaken, text_bytes
from shared.log.events import StoredEvent
from shared.log.fence import Fence
from shared.log.reader import LogReader
from shared.log.transcript import Transcript

BACK_OFF_SECONDS = 0.02
"""Longest wait after the first collision of an append, in seconds; it doubles up to MAX_BACK_OFF_SECONDS."""

MAX_BACK_OFF_SECONDS = 0.5

EventsOf = Callable[[Transcript, bool], Sequence[StoredEvent]]
"""Return what to append, from the log's transcript and whether nothing was appended under the fence before."""


class SharedWriter:
    """Append for one of several attempts that share `fence`. Every method blocks while it reads or writes the log.

    `after` is a sequence number: `transcript` is what the events after it amount to, or all events if the log has been
    compacted beyond it. `check_job` raises AttemptStopped if the attempts may no longer write. Two threads may append
    with one writer: one of them waits. `expires_at` is when the job expires (Unix seconds).
    """

    def __init__(
        self,
        log: EventLog,
        job_id: str,
        fence: Fence,
        *,
        after: int,
        expires_at: int,
        clock: Clock,
        bounds: LogBounds,
        check_job: Callable[[], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log = log
        self._job_id = job_id
        self.fence = fence
        self._reader = LogReader(log, job_id, after=after, consistent=True)
        self._expires_at = expires_at
        self._clock = clock
        self._bounds = bounds
        self._check_job = check_job
        self._sleep = sleep
        self._id = secrets.token_hex(4)
        # A batch that compaction has emptied tells its writers apart, but not the batches of one writer.
        self._appending = threading.Lock()

    @property
    def transcript(self) -> Transcript:
        """Return what the events after `after` amount to, up to the last read of the log."""
        return self._reader.transcript

    def append(self, events_of: EventsOf) -> None:
        """Append the events that `events_of` returns, at most MAX_BATCH; append nothing if it returns none.

        If another attempt appends first, call `events_of` again with what the log then amounts to. So an event that
        depends on the transcript is appended once, whatever the number of attempts that try to.

        Raises AttemptStopped if the log has ended or has a higher fence, or if the job has expired.
        """
        with self._appending:
            self._append(events_of)

    def _append(self, events_of: EventsOf) -> None:
        longest_wait = BACK_OFF_SECONDS
        while True:
            raise_if_expired(self._expires_at, self._clock)
            tail = self._log.tail(self._job_id)
            raise_if_stopped(tail, self.fence)
            self._reader.poll()
            if self.transcript.seq != tail.seq:
                continue  # another attempt has appended between the two reads
            events = tuple(events_of(self.transcript, tail.fence != self.fence))
            if not events or self._append_after(tail, events):
                return
            self._sleep(random.uniform(0, longest_wait))  # noqa: S311 - not for secrets
            longest_wait = min(2 * longest_wait, MAX_BACK_OFF_SECONDS)

    def _append_after(self, tail: LogTail, events: tuple[StoredEvent, ...]) -> bool:
        """Append the events after `tail` and return True; return False if another batch has the next number."""
        size = tail.log_bytes + text_bytes(events)
        batch = Batch(
            tail.seq + 1,
            events,
            self.fence,
            self._clock(),
            size,
            writer=self._id,
            watched=tail.watched,
            expires_at=self._expires_at,
        )
        try:
            self._log.append(self._job_id, batch)
        except SequenceTaken:
            return False
        self._compact_at_a_bound(tail, batch)
        return True

    def _compact_at_a_bound(self, tail: LogTail, batch: Batch) -> None:
        """Compact the log if this append has crossed a multiple of its bounds: exactly one writer crosses each."""
        bounds = self._bounds
        if (
            tail.seq // bounds.max_events == batch.last // bounds.max_events
            and tail.log_bytes // bounds.max_bytes == batch.log_bytes // bounds.max_bytes
        ):
            return
        self._check_job()
        compact(self._log, self._job_id, batch.log_bytes, expires_at=self._expires_at)
