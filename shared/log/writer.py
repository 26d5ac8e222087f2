"""Write to a job's log for one attempt: collect text, append it at most every 100 ms, compact the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from shared.characters import whole_characters, whole_values
from shared.clock import Clock
from shared.errors import AttemptStopped, StorageUnavailable
from shared.log.claim import raise_if_expired, raise_if_stopped
from shared.log.compaction import compact
from shared.log.event_log import MAX_BATCH, Batch, EventLog, LogBounds, LogSnapshot, LogTail, SequenceTaken, text_bytes
from shared.log.events import Delta, Item, Progress, StoredEvent, StoredReset
from shared.log.fence import Fence

COALESCE_SECONDS = 0.1
"""Shortest time between two appends of text, in seconds."""

READ_SECONDS = 0.025
"""The longest time for which the source of a text need not be read, in seconds: its end is written so much later."""

READ_MARGIN_SECONDS = 0.005
"""How long before an append is due the source of its text is read, in seconds."""

STOP_CHECK_SECONDS = 0.5
"""Seconds without new text after which the writer checks whether its attempt was stopped."""

MAX_DELTA_CHARS = 48_000
"""Longest text of one event: with six bytes per character it still fits into one DynamoDB item of 400 kB."""

MAX_ITEM_BYTES = 64_000
"""Largest item: it fits beside the longest delta. Store larger data in the bucket and put its key into the item."""

T = TypeVar("T")


class LogWriter:
    """Buffer one attempt's text and append it to the log at most every 100 ms; the first and last text at once.

    If a newer attempt has claimed the log, the next append finds its sequence number taken: it raises AttemptStopped,
    and `write_while` cancels the attempt's work. The writer calls `check_job` before it compacts the log and while it
    has nothing to append. `check_job` raises AttemptStopped if the job has ended or a newer attempt has claimed it.
    `expires_at` is when the job expires (Unix seconds): from then on, an append raises AttemptStopped.
    """

    def __init__(
        self,
        log: EventLog,
        job_id: str,
        fence: Fence,
        *,
        tail: LogTail,
        text: str,
        progress: float,
        expires_at: int,
        clock: Clock,
        bounds: LogBounds,
        check_job: Callable[[], None],
    ) -> None:
        self._log = log
        self._job_id = job_id
        self._fence = fence
        self._tail = tail
        self._expires_at = expires_at
        self._clock = clock
        self._bounds = bounds
        self._check_job = check_job
        self._compacted: LogSnapshot | None = None
        self._newest_bytes = 0
        self._written = [text]
        self._buffered: list[str] = []
        self._cursor = self._written_cursor = tail.cursor
        self._progress = self._written_progress = progress
        self._due_at = 0.0
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def tail(self) -> LogTail:
        """Return the end of the log after this writer's last append."""
        return self._tail

    @property
    def text(self) -> str:
        """Return the log's text, with the text that is not appended yet."""
        return "".join((*self._written, *self._buffered))

    @property
    def progress(self) -> float:
        """Return the job's progress (0–100), also if it is not appended yet."""
        return self._progress

    def write(self, text: str, *, cursor: str | None = None) -> None:
        """Buffer text, to be appended within 100 ms.

        `cursor` is the position in the model's response after this text; it is stored with the text (see `Batch`).
        """
        self._cursor = cursor
        if text:
            self._buffered.append(whole_characters(text))
            self._wake.set()

    def spare_seconds(self) -> float:
        """Return for how many seconds further text would only wait for its append, at most READ_SECONDS."""
        return max(0.0, min(READ_SECONDS, self._due_at - READ_MARGIN_SECONDS - time.monotonic()))

    async def store_cursor(self, cursor: str) -> None:
        """Append the position in the model's response at once.

        The provider continues the response even if this attempt fails, and the next attempt needs the cursor to
        re-attach.
        """
        self._cursor = cursor
        async with self._writing:
            self._written_cursor = cursor
            await self._append((self._progress_event(),))
            await self._compact_if_needed()

    def report_progress(self, progress: float) -> None:
        """Set the job's progress (0–100), to be appended with the next text. A lower value changes nothing."""
        self._progress = max(self._progress, round(min(100.0, progress), 1))

    async def append(self, *events: StoredEvent) -> None:
        """Append the buffered text and then these events, at once."""
        async with self._writing:
            await self._append_buffered()
            for start in range(0, len(events), MAX_BATCH):
                await self._append(events[start : start + MAX_BATCH])
                await self._compact_if_needed()

    async def append_item(
        self, stage: str, key: str, data: dict[str, Any], *, events: tuple[StoredEvent, ...] = ()
    ) -> None:
        """Append the buffered text together with an item, and with at most two `events` behind it, in one write.

        Raises ValueError if the item is larger than MAX_ITEM_BYTES.
        """
        item = Item(stage=stage, key=key, data=whole_values(data), text_length=len(self.text))
        if text_bytes((item,)) > MAX_ITEM_BYTES:
            raise ValueError(f"the item is too large; an item may have at most {MAX_ITEM_BYTES} bytes")
        async with self._writing:
            await self._append_buffered(item, *events)

    async def reset(self, event: StoredReset) -> None:
        """Append `event`, which keeps the first `kept_characters` of the text, and discard the rest.

        Raises ValueError if the text is shorter than that.
        """
        kept = event.kept_characters
        if kept > len(self.text):
            raise ValueError(f"a reset cannot keep {kept} characters of a text of {len(self.text)}")
        async with self._writing:
            if kept > sum(map(len, self._written)):
                await self._append_buffered()
            discarded = len(self._buffered)
            self._written_cursor = None
            await self._append((event,))
            del self._buffered[:discarded]
            self._cursor = None
            self._written = ["".join(self._written)[:kept]]
            self._progress = self._written_progress = event.progress
            await self._compact_if_needed()

    async def flush(self) -> None:
        """Append the buffered text, and the progress if it has changed."""
        async with self._writing:
            await self._append_buffered()
            if self._progress != self._written_progress:
                await self._append((self._progress_event(),))
                await self._compact_if_needed()

    async def write_while(self, work: Awaitable[T]) -> T:
        """Run `work`, append the text that it writes meanwhile, and return its result.

        Raises AttemptStopped, and cancels `work`, as soon as the attempt may no longer write.
        """
        task = asyncio.ensure_future(work)
        appender = asyncio.create_task(self._append_in_background())
        try:
            await asyncio.wait({task, appender}, return_when=asyncio.FIRST_COMPLETED)
            if appender.done():
                appender.result()
            result = await task
            await self.flush()
        except AttemptStopped:
            raise
        except Exception:
            # The model's output so far is paid for, so show it to watchers. The retry resets it.
            await self.flush()
            raise
        else:
            return result
        finally:
            # A cancelled append would still reach the log, but the writer would not know it. So wait for it first.
            async with self._writing:
                appender.cancel()
            task.cancel()
            await asyncio.gather(appender, task, return_exceptions=True)

    async def _append_in_background(self) -> None:
        while True:
            try:
                # Not asyncio.wait_for: before Python 3.12 it can swallow the cancellation that ends this task.
                async with asyncio.timeout(STOP_CHECK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await asyncio.to_thread(self._check_job)
                continue
            self._wake.clear()
            self._due_at = time.monotonic() + COALESCE_SECONDS
            async with self._writing:
                await self._append_buffered()
            await asyncio.sleep(max(0.0, self._due_at - time.monotonic()))

    async def _append_buffered(self, *last: StoredEvent) -> None:
        # Text that arrives during an append waits for the next one. Text whose append fails stays buffered.
        text = "".join(self._buffered)
        parts = [text[start : start + MAX_DELTA_CHARS] for start in range(0, len(text), MAX_DELTA_CHARS)]
        self._buffered[:] = parts
        cursor = self._cursor
        for index, part in enumerate(parts):
            # The cursor is valid only after the last part, so store it with that part only.
            self._written_cursor = cursor if index == len(parts) - 1 else None
            behind = last if index == len(parts) - 1 else ()
            # Where a batch has no room for the progress, the next one has it.
            is_due = self._progress != self._written_progress and len(behind) < MAX_BATCH - 1
            progress = (self._progress_event(),) if is_due else ()
            await self._append((Delta(text=part), *progress, *behind))
            self._written.append(self._buffered.pop(0))
            await self._compact_if_needed()
        if last and not parts:
            self._written_cursor = cursor
            await self._append(last)
            await self._compact_if_needed()

    def _progress_event(self) -> Progress:
        return Progress(progress=self._progress)

    async def _append(self, events: tuple[StoredEvent, ...]) -> None:
        raise_if_expired(self._expires_at, self._clock)
        added = text_bytes(events)
        size = self._tail.log_bytes + added
        batch = Batch(
            self._tail.seq + 1,
            events,
            self._fence,
            self._clock(),
            size,
            self._written_cursor,
            watched=self._tail.watched,
            expires_at=self._expires_at,
        )
        try:
            watched = await asyncio.to_thread(self._log.append, self._job_id, batch)
        except SequenceTaken:
            raise_if_stopped(await asyncio.to_thread(self._log.tail, self._job_id), self._fence)
            # The batch there is this writer's own: an append succeeded, but its response was lost.
            raise StorageUnavailable("the response to an append was lost") from None
        self._tail = LogTail(batch.last, size, self._fence, watched=watched)
        self._newest_bytes = added
        self._written_progress = next(
            (event.progress for event in events if isinstance(event, Progress)), self._written_progress
        )

    async def _compact_if_needed(self) -> None:
        covered = self._compacted or LogSnapshot(0, "", None, 0)
        if (
            self._tail.seq - covered.seq < self._bounds.max_events
            and self._tail.log_bytes - covered.log_bytes < self._bounds.max_bytes
        ):
            return
        # A superseded attempt stops here and leaves the work to the newer one.
        await asyncio.to_thread(self._check_job)
        covered_bytes = self._tail.log_bytes - self._newest_bytes
        self._compacted = await asyncio.to_thread(
            compact, self._log, self._job_id, covered_bytes, expires_at=self._expires_at
        )
