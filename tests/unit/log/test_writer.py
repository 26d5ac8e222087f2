"""The writer: coalescing, fencing, what becomes of lost appends, and the log's bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest

from shared.errors import AttemptSuperseded, JobEnded, MillraceError, StorageThrottled, StorageUnavailable
from shared.log import writer as writing
from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.event_log import MAX_BATCH, Batch, LogBounds, LogTail
from shared.log.events import Cancelled, Delta, Progress, Reset, StoredEvent, Tool
from shared.log.fence import Fence
from shared.log.reader import LogReader
from shared.log.transcript import Transcript
from shared.log.writer import LogWriter
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.core import until
from tests.fakes.event_log import FakeEventLog

JOB = "job_1"
FIRST = Fence(1, 0, 0, "aaaaaaaa")
SECOND = Fence(1, 0, 1, "bbbbbbbb")
T = TypeVar("T")


def pen(
    log: FakeEventLog,
    fence: Fence = FIRST,
    *,
    tail: LogTail | None = None,
    bounds: LogBounds | None = None,
    check_job: Callable[[], None] = lambda: None,
) -> LogWriter:
    return LogWriter(
        log,
        JOB,
        fence,
        tail=tail or LogTail(),
        text="",
        progress=0,
        clock=SettableClock(),
        bounds=bounds or LogBounds(),
        check_job=check_job,
    )


def run(stream: LogWriter, work: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await stream.write_while(work())

    return asyncio.run(main())


def reset(text: str, progress: float = 0) -> Reset:
    return Reset(text=text, progress=progress, reason="REPAIR", message="again", attempt=1, retry_count=0)


def written(log: FakeEventLog) -> list[StoredEvent]:
    return [entry.event for entry in log.read(JOB, after=0)]


def text_of(log: FakeEventLog) -> str:
    """What a watcher from the beginning reads."""
    transcript = Transcript()
    for frame in LogReader(log, JOB).poll():
        transcript.apply(frame.id, frame.event)
    return transcript.text


@pytest.fixture
def slow_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interval no test waits for: what is written before its end was written at once."""
    monkeypatch.setattr(writing, "COALESCE_SECONDS", 3600.0)


@pytest.fixture
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "COALESCE_SECONDS", 0.0)


class TestCoalescing:
    @pytest.mark.usefixtures("slow_pace")
    def test_the_first_delta_goes_out_at_once_and_the_rest_of_the_interval_in_one_write(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> str:
            stream.write("a")
            await until(lambda: log.appends)
            for piece in "bcd":
                stream.write(piece)
                await asyncio.sleep(0)
            return "done"

        assert run(stream, work) == "done"
        assert written(log) == [Delta(text="a"), Delta(text="bcd")]

    def test_a_stream_of_tokens_costs_one_write_per_interval(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            while len(log.appends) < 4:
                stream.write("x")
                await asyncio.sleep(0.001)

        began = time.monotonic()
        run(stream, work)
        intervals = (time.monotonic() - began) / writing.COALESCE_SECONDS
        # The first at once, one for each interval that has passed, and the last.
        assert 4 <= len(log.appends) <= intervals + 2
        assert text_of(log) == stream.text

    @pytest.mark.usefixtures("slow_pace")
    def test_the_last_delta_is_written_before_the_work_counts_as_done(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.write("first")
            await until(lambda: log.appends)
            stream.write(", last")

        run(stream, work)
        assert text_of(log) == stream.text == "first, last"
        assert stream.tail == log.tail(JOB)

    @pytest.mark.usefixtures("slow_pace")
    def test_what_a_failing_attempt_said_last_is_still_written(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.write("first")
            await until(lambda: log.appends)
            stream.write(", last")
            raise ConnectionError

        with pytest.raises(ConnectionError):
            run(stream, work)
        assert text_of(log) == "first, last"

    def test_writing_nothing_writes_nothing(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.write("")

        run(stream, work)
        assert log.appends == []

    def test_an_explicit_event_comes_after_the_text_before_it(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.write("calling ")
            await stream.append(Tool(name="search", status="started"))
            stream.write("called")

        run(stream, work)
        assert written(log) == [Delta(text="calling "), Tool(name="search", status="started"), Delta(text="called")]

    def test_more_events_than_a_batch_holds_become_several_batches(self) -> None:
        log = FakeEventLog()
        stream = pen(log)
        events = tuple(Tool(name=f"tool {number}", status="started") for number in range(2 * MAX_BATCH + 1))

        async def work() -> None:
            await stream.append(*events)

        run(stream, work)
        assert written(log) == list(events)
        assert [len(batch.events) for batch in log.appends] == [MAX_BATCH, MAX_BATCH, 1]

    @pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
    def test_a_batch_that_a_reader_could_miss_cannot_be_made(self, count: int) -> None:
        with pytest.raises(ValueError, match="a batch holds 1 to 4 events"):
            Batch(1, (Delta(text="x"),) * count, FIRST, NOON)


class TestSizes:
    def test_an_oversize_delta_is_split(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "MAX_DELTA_CHARS", 10)
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.report_progress(50)
            stream.write("0123456789abcdefghijKLMNO")

        run(stream, work)
        texts = [event.text for event in written(log) if isinstance(event, Delta)]
        assert texts == ["0123456789", "abcdefghij", "KLMNO"]
        assert [event for event in written(log) if isinstance(event, Progress)] == [Progress(progress=50)]
        assert text_of(log) == stream.text

    def test_an_oversize_reset_is_split(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "MAX_DELTA_CHARS", 10)
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.write("wrong")
            await stream.reset(reset("0123456789abc"))
            stream.write("def")

        run(stream, work)
        assert text_of(log) == stream.text == "0123456789abcdef"
        assert all(len(event.text) <= 10 for event in written(log) if isinstance(event, Delta | Reset))

    def test_log_bytes_count_the_text_as_it_is_stored(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.write("é")
            await stream.flush()
            await stream.reset(reset("übrig"))

        run(stream, work)
        assert log.tail(JOB).log_bytes == stream.tail.log_bytes == 2 + 6


class TestProgress:
    def test_progress_travels_with_the_next_delta_and_never_falls(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            for percent, text in ((10, "a"), (5, "b"), (20, "c"), (20, "d"), (400, "e")):
                stream.report_progress(percent)
                stream.write(text)
                await stream.flush()

        run(stream, work)
        assert [event.progress for event in written(log) if isinstance(event, Progress)] == [10, 20, 100]
        assert stream.progress == 100
        assert len(log.appends) == 5  # none of them for progress alone

    def test_progress_that_moved_after_the_last_delta_is_written_at_the_end(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.report_progress(95)

        run(stream, work)
        assert written(log) == [Progress(progress=95)]

    def test_only_a_reset_lets_progress_fall(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            stream.report_progress(60)
            stream.write("wrong")
            await stream.flush()
            stream.write("dropped")
            await stream.reset(reset("right", 30))
            stream.report_progress(20)
            stream.write("!")

        run(stream, work)
        assert (text_of(log), stream.text, stream.progress) == ("right!", "right!", 30)
        assert written(log)[-2:] == [reset("right", 30), Delta(text="!")]

    def test_progress_whose_write_failed_is_written_with_the_next(self) -> None:
        log = FaultyLog(StorageThrottled("busy"))
        stream = pen(log)

        async def work() -> None:
            stream.report_progress(50)
            stream.write("a")
            with pytest.raises(StorageThrottled):
                await stream.flush()
            await stream.flush()

        run(stream, work)
        assert written(log) == [Delta(text="a"), Progress(progress=50)]


class TestFencing:
    def test_a_superseded_writer_stops_at_its_next_write_and_leaves_nothing(self) -> None:
        log = FakeEventLog()
        stream = pen(log)
        stopped: list[str] = []

        async def work() -> None:
            stream.write("mine")
            await until(lambda: log.appends)
            claim(log, JOB, SECOND, (reset(""),), at=SettableClock())
            stream.write("too late")
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append("model call")

        with pytest.raises(AttemptSuperseded):
            run(stream, work)
        assert written(log) == [Delta(text="mine"), reset("")]
        assert stopped == ["model call"]

    def test_a_writer_whose_job_was_cancelled_stops_at_its_next_write(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> None:
            claim(log, JOB, Fence(1, 999, 0, "cccccccc"), (Cancelled(),), at=SettableClock())
            stream.write("too late")
            await asyncio.Event().wait()

        with pytest.raises(JobEnded):
            run(stream, work)
        assert written(log) == [Cancelled()]

    def test_a_silent_writer_notices_that_its_job_was_cancelled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 0.01)
        looks: list[int] = []

        def check_job() -> None:
            looks.append(1)
            if len(looks) == 3:
                raise JobEnded("cancelled")

        stream = pen(FakeEventLog(), check_job=check_job)
        stopped: list[str] = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append("model call")

        with pytest.raises(JobEnded):
            run(stream, work)
        assert len(looks) == 3
        assert stopped == ["model call"]

    def test_a_writer_that_finishes_after_it_was_superseded_is_told(self) -> None:
        log = FakeEventLog()
        stream = pen(log)

        async def work() -> str:
            claim(log, JOB, SECOND, (reset(""),), at=SettableClock())
            stream.write("too late")
            return "a result nobody must take"

        with pytest.raises(AttemptSuperseded):
            run(stream, work)
        assert text_of(log) == ""

    def test_a_writer_stays_fenced_off_when_its_place_has_been_compacted_away(self) -> None:
        log = FakeEventLog()
        slow, quick = pen(log), pen(log, SECOND, bounds=LogBounds(max_events=5))

        async def work() -> None:
            slow.write("slow")
            await slow.flush()
            quick._tail = claim(log, JOB, SECOND, (reset(""),), at=SettableClock())
            for _ in range(20):
                await quick.append(Delta(text="quick "))
            slow.write("late")
            with pytest.raises(AttemptSuperseded):
                await slow.flush()

        asyncio.run(work())
        assert log.snapshot(JOB) is not None
        assert len(log.read(JOB, after=0)) < 15
        assert text_of(log) == "quick " * 20

    def test_a_claim_of_lower_rank_is_refused_and_one_after_the_end_as_well(self) -> None:
        log = FakeEventLog()
        claim(log, JOB, SECOND, (Delta(text="second"),), at=SettableClock())
        with pytest.raises(AttemptSuperseded):
            claim(log, JOB, FIRST, (Delta(text="first"),), at=SettableClock())
        claim(log, JOB, Fence(1, 999, 0, "cccccccc"), (Cancelled(),), at=SettableClock())
        with pytest.raises(JobEnded):
            claim(log, JOB, Fence(1, 999, 9, "dddddddd"), (Cancelled(),), at=SettableClock())
        assert len(log.appends) == 2

    def test_the_next_execution_may_write_after_the_end_of_the_one_before(self) -> None:
        log = FakeEventLog()
        claim(log, JOB, Fence(1, 999, 0, "cccccccc"), (Cancelled(),), at=SettableClock())
        tail = claim(log, JOB, Fence(2, 0, 0, "dddddddd"), (reset(""),), at=SettableClock())
        assert (tail.seq, tail.terminal) == (2, False)

    def test_a_claim_at_a_place_somebody_has_taken_says_so(self) -> None:
        log = FakeEventLog()
        claim(log, JOB, FIRST, (Delta(text="first"),), at=SettableClock())
        assert claim(log, JOB, SECOND, (Delta(text="x"),), at=SettableClock(), expected=LogTail()) is None
        assert claim(log, JOB, SECOND, (Delta(text="x"),), at=SettableClock(), expected=log.tail(JOB)) == log.tail(JOB)


class FaultyLog(FakeEventLog):
    """Fails the first appends with these faults; `stored`: only the answer is lost."""

    def __init__(self, *faults: MillraceError, stored: bool = False) -> None:
        super().__init__()
        self._faults = list(faults)
        self._stored = stored

    def append(self, job_id: str, batch: Batch) -> None:
        fault = self._faults.pop(0) if self._faults else None
        if fault is None or self._stored:
            super().append(job_id, batch)
        if fault is not None:
            raise fault


class TestLostAppends:
    def test_a_failing_log_ends_the_attempt_and_leaves_no_hole_in_the_text(self) -> None:
        log = FaultyLog(StorageThrottled("busy"))
        stream = pen(log)

        async def work() -> None:
            stream.write("one ")
            while True:
                await asyncio.sleep(0.001)
                stream.write("two ")

        with pytest.raises(StorageThrottled):
            run(stream, work)
        assert text_of(log).startswith("one ")
        assert stream.text.startswith(text_of(log))

    def test_what_an_append_held_whose_answer_was_lost_is_in_the_log_once(self) -> None:
        log = FaultyLog(StorageUnavailable("no answer"), stored=True)
        stream = pen(log)

        async def work() -> None:
            stream.write("once")
            await asyncio.Event().wait()

        with pytest.raises(StorageUnavailable):
            run(stream, work)
        assert written(log) == [Delta(text="once")]

    def test_a_writer_that_has_lost_its_own_place_says_that_storage_failed_not_that_it_was_superseded(self) -> None:
        log = FakeEventLog()
        stream = pen(log)
        log.append(JOB, Batch(1, (Delta(text="mine"),), FIRST, NOON))

        async def work() -> None:
            stream.write("mine and more")
            await asyncio.Event().wait()

        with pytest.raises(StorageUnavailable, match="the response to an append was lost"):
            run(stream, work)
        assert text_of(log) == "mine"

    def test_an_attempt_ends_when_it_cannot_be_known_whether_it_may_go_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 0.01)

        def check_job() -> None:
            raise StorageUnavailable("no answer")

        async def work() -> None:
            await asyncio.Event().wait()

        with pytest.raises(StorageUnavailable):
            run(pen(FakeEventLog(), check_job=check_job), work)


class TestBound:
    def test_compaction_keeps_the_log_within_its_count_of_events(self) -> None:
        log = FakeEventLog()
        stream = pen(log, bounds=LogBounds(max_events=10))
        longest = 0

        async def work() -> None:
            nonlocal longest
            for number in range(60):
                await stream.append(Delta(text=f"{number} "))
                longest = max(longest, len(log.read(JOB, after=0)))

        run(stream, work)
        assert 10 <= longest <= 13
        assert text_of(log) == "".join(f"{number} " for number in range(60))
        assert len(log.appends) == 60

    def test_compaction_keeps_the_log_within_its_bytes(self) -> None:
        log = FakeEventLog()
        stream = pen(log, bounds=LogBounds(max_bytes=1000))
        most = 0

        async def work() -> None:
            nonlocal most
            for _ in range(60):
                await stream.append(Delta(text="x" * 100))
                deltas = [event for event in written(log) if isinstance(event, Delta)]
                most = max(most, sum(len(event.text) for event in deltas))

        run(stream, work)
        assert 1000 <= most <= 1300
        assert text_of(log) == "x" * 6000

    @pytest.mark.usefixtures("no_pace")
    def test_deltas_are_compacted_too(self) -> None:
        log = FakeEventLog()
        stream = pen(log, bounds=LogBounds(max_events=10))

        def is_longer_than(count: int) -> bool:
            return len(log.appends) > count

        async def work() -> None:
            for number in range(30):
                stream.write("x")
                await until(partial(is_longer_than, number))

        run(stream, work)
        assert len(log.read(JOB, after=0)) < 14
        assert text_of(log) == "x" * 30

    def test_a_log_that_earlier_stages_filled_is_compacted_by_the_next(self) -> None:
        log = FakeEventLog()
        tail = LogTail()
        for _ in range(30):
            tail = claim(log, JOB, FIRST, (Delta(text="x"),), at=SettableClock())
        stream = pen(log, SECOND, tail=tail, bounds=LogBounds(max_events=20))

        async def work() -> None:
            await stream.append(Delta(text="y"))

        run(stream, work)
        assert len(log.read(JOB, after=0)) == 2  # the first of the first attempt, and the newest
        assert text_of(log) == "x" * 30 + "y"

    def test_a_writer_that_no_longer_holds_the_job_compacts_nothing(self) -> None:
        log = FakeEventLog()

        def check_job() -> None:
            raise AttemptSuperseded("a newer attempt has claimed the job")

        stream = pen(log, bounds=LogBounds(max_events=3), check_job=check_job)

        async def work() -> None:
            for _ in range(10):
                await stream.append(Delta(text="x"))

        with pytest.raises(AttemptSuperseded):
            run(stream, work)
        assert log.snapshot(JOB) is None

    def test_compacting_again_with_nothing_to_fold_changes_nothing(self) -> None:
        log = FakeEventLog()
        assert compact(log, JOB, 0) is None
        for text in "abc":
            claim(log, JOB, FIRST, (Delta(text=text),), at=SettableClock())
        snapshot = compact(log, JOB, 3)
        assert snapshot is not None
        assert (snapshot.seq, snapshot.text) == (2, "ab")
        assert compact(log, JOB, 3) == snapshot == log.snapshot(JOB)

    def test_an_older_snapshot_does_not_replace_a_newer_one(self) -> None:
        log = FakeEventLog()
        for text in "abcd":
            claim(log, JOB, FIRST, (Delta(text=text),), at=SettableClock())
        newer = compact(log, JOB, 4)
        assert newer is not None
        log.compact(JOB, type(newer)(1, "a", None, 0))
        assert log.snapshot(JOB) == newer
