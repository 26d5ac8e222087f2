"""Writing to a job's log: one attempt's claim on it, its coalesced deltas, and its bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from shared.clock import Clock
from shared.errors import AttemptStopped, StorageUnavailable
from shared.log.claim import raise_if_stopped
from shared.log.compaction import compact
from shared.log.event_log import MAX_BATCH, Batch, EventLog, LogBounds, LogSnapshot, LogTail, SequenceTaken, text_bytes
from shared.log.events import Delta, Item, Progress, Reset, StoredEvent
from shared.log.fence import Fence

COALESCE_SECONDS = 0.1
"""At most one write of deltas per this long (row C6)."""

STOP_CHECK_SECONDS = 0.5
"""How long an attempt may stay unaware, while it has nothing to write, that it has been stopped."""

MAX_DELTA_CHARS = 48_000
"""Longest text of one event: still fits an item when every character takes six bytes."""

MAX_ITEM_BYTES = 64_000
"""Largest item: fits beside the longest delta. What is larger belongs into the bucket, and its key into the item."""

T = TypeVar("T")


class LogWriter:
    """One attempt's pen: text is buffered and written at most every 100 ms, the first and the last piece at once.

    Only the holder of the end of the log can write: the first append that finds its place taken raises AttemptStopped,
    out of whatever the attempt is doing (`run`). `check_job` is asked while there is nothing to write.
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
        clock: Clock,
        bounds: LogBounds,
        check_job: Callable[[], None],
    ) -> None:
        self._log = log
        self._job_id = job_id
        self._fence = fence
        self._tail = tail
        self._clock = clock
        self._bounds = bounds
        self._check_job = check_job
        self._compacted: LogSnapshot | None = None
        self._standing = [text]
        self._buffered: list[str] = []
        self._cursor = self._written_cursor = tail.cursor
        self._progress = self._written_progress = progress
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def tail(self) -> LogTail:
        return self._tail

    @property
    def text(self) -> str:
        """The stream's text with everything given so far."""
        return "".join((*self._standing, *self._buffered))

    @property
    def progress(self) -> float:
        return self._progress

    def write(self, text: str, *, cursor: str | None = None) -> None:
        """Add text to the stream; it is on its way within 100 ms.

        `cursor`: where the model's response stands after this text, stored with it; see `Batch`.
        """
        self._cursor = cursor
        if text:
            self._buffered.append(text)
            self._wake.set()

    async def store_cursor(self, cursor: str) -> None:
        """Store where the model's response stands, at once: it goes on even if this attempt does not."""
        self._cursor = cursor
        async with self._writing:
            self._written_cursor = cursor
            await self._append((self._moved(),))

    def report_progress(self, progress: float) -> None:
        """Set the job's progress (0–100); travels with the next write, and never falls."""
        self._progress = max(self._progress, round(min(100.0, progress), 1))

    async def append(self, *events: StoredEvent) -> None:
        """Write what is buffered and then these events, at once."""
        async with self._writing:
            await self._write_buffered()
            for begin in range(0, len(events), MAX_BATCH):
                await self._append(events[begin : begin + MAX_BATCH])
            await self._keep_bounded()

    async def append_item(self, stage: str, key: str, data: dict[str, Any]) -> None:
        """Write what is buffered and an item that stands with it, in one append. Raises ValueError when too large."""
        item = Item(stage=stage, key=key, data=data, text_length=len(self.text))
        if text_bytes((item,)) > MAX_ITEM_BYTES:
            raise ValueError(f"an item may have {MAX_ITEM_BYTES} bytes at most")
        async with self._writing:
            await self._write_buffered(item)
            await self._keep_bounded()

    async def reset(self, event: Reset) -> None:
        """Replace the stream's text, dropping what is buffered."""
        async with self._writing:
            head, rest = event.text[:MAX_DELTA_CHARS], event.text[MAX_DELTA_CHARS:]
            dropped = len(self._buffered)
            self._written_cursor = None
            await self._append((event.model_copy(update={"text": head}),))
            del self._buffered[:dropped]
            self._cursor = self._written_cursor = None
            self._standing = [head]
            self._progress = self._written_progress = event.progress
            self.write(rest)

    async def flush(self) -> None:
        """Write what is buffered, and the progress if it has moved."""
        async with self._writing:
            await self._write_buffered()
            if self._progress != self._written_progress:
                await self._append((self._moved(),))

    async def write_while(self, work: Awaitable[T]) -> T:
        """Do the work while its text is being written; end it as soon as this attempt may write no more."""
        worker = asyncio.ensure_future(work)
        pump = asyncio.create_task(self._pump())
        try:
            await asyncio.wait({worker, pump}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                pump.result()
            result = await worker
            await self.flush()
        except AttemptStopped:
            raise
        except Exception:
            # What the model said before it failed has been paid for: the watcher may see it, the retry resets it.
            await self.flush()
            raise
        else:
            return result
        finally:
            # A cancelled append would still reach the log, unknown to this writer: wait for the one under way.
            async with self._writing:
                pump.cancel()
            worker.cancel()
            await asyncio.gather(pump, worker, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            try:
                # Not `wait_for`: before Python 3.12 it can swallow the cancellation that ends this task.
                async with asyncio.timeout(STOP_CHECK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await asyncio.to_thread(self._check_job)
                continue
            self._wake.clear()
            began = time.monotonic()
            async with self._writing:
                await self._write_buffered()
                await self._keep_bounded()
            await asyncio.sleep(max(0.0, began + COALESCE_SECONDS - time.monotonic()))

    async def _write_buffered(self, *item: Item) -> None:
        # What is added while this is being written waits for the next time; what could not be written stays buffered.
        text = "".join(self._buffered)
        parts = [text[begin : begin + MAX_DELTA_CHARS] for begin in range(0, len(text), MAX_DELTA_CHARS)]
        self._buffered[:] = parts
        cursor = self._cursor
        for place, part in enumerate(parts):
            # Only behind its last piece is the text as far as the cursor says.
            self._written_cursor = cursor if place == len(parts) - 1 else None
            moved = (self._moved(),) if self._progress != self._written_progress else ()
            last = item if place == len(parts) - 1 else ()
            await self._append((Delta(text=part), *moved, *last))
            self._standing.append(self._buffered.pop(0))
        if item and not parts:
            self._written_cursor = cursor
            await self._append(item)

    def _moved(self) -> Progress:
        return Progress(progress=self._progress)

    async def _append(self, events: tuple[StoredEvent, ...]) -> None:
        size = self._tail.log_bytes + text_bytes(events)
        batch = Batch(self._tail.seq + 1, events, self._fence, self._clock(), size, self._written_cursor)
        try:
            await asyncio.to_thread(self._log.append, self._job_id, batch)
        except SequenceTaken:
            raise_if_stopped(await asyncio.to_thread(self._log.tail, self._job_id), self._fence)
            # Our own append, whose answer was lost: what it held is in the log, but this writer has lost its place.
            raise StorageUnavailable("the end of the log was lost") from None
        self._tail = LogTail(batch.last, size, self._fence)
        self._written_progress = next(
            (event.progress for event in events if isinstance(event, Progress)), self._written_progress
        )

    async def _keep_bounded(self) -> None:
        covered = self._compacted or LogSnapshot(0, "", None, 0)
        if (
            self._tail.seq - covered.seq < self._bounds.max_events
            and self._tail.log_bytes - covered.log_bytes < self._bounds.max_bytes
        ):
            return
        # Only who holds the job compacts: a successor between its look at the log's end and its first append must find
        # that place as it is.
        await asyncio.to_thread(self._check_job)
        self._compacted = await asyncio.to_thread(compact, self._log, self._job_id, self._tail.log_bytes)
