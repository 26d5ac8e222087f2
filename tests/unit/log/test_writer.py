"""The writer: coalescing, fencing, lost appends and the bound of the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import AttemptSuperseded, JobEnded, MillraceError, StorageThrottled, StorageUnavailable
from shared.log import writer as writing
from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.event_log import MAX_BATCH, Batch, LogBounds, LogTail, text_bytes
from shared.log.events import Cancelled, Delta, Progress, StoredEvent, StoredReset, Tool
from shared.log.fence import Fence
from shared.log.reader import LogReader
from shared.log.transcript import Transcript
from shared.log.writer import LogWriter
from tests.fakes.clock import EXPIRES_AT, NOON, SettableClock
from tests.fakes.core import Verse, until
from tests.fakes.event_log import FakeEventLog

JOB = "job_1"
FIRST = Fence(1, 0, 0, "aaaaaaaa")
SECOND = Fence(1, 0, 1, "bbbbbbbb")
T = TypeVar("T")


def new_writer(
    log: FakeEventLog,
    fence: Fence = FIRST,
    *,
    tail: LogTail | None = None,
    bounds: LogBounds | None = None,
    check_job: Callable[[], None] = lambda: None,
    clock: SettableClock | None = None,
) -> LogWriter:
    return LogWriter(
        log,
        JOB,
        fence,
        tail=tail or LogTail(),
        text="",
        progress=0,
        expires_at=EXPIRES_AT,
        clock=clock or SettableClock(),
        bounds=bounds or LogBounds(),
        check_job=check_job,
    )


def run(writer: LogWriter, work: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await writer.write_while(work())

    return asyncio.run(main())


def reset(keep: int = 0, progress: float = 0) -> StoredReset:
    return StoredReset(
        kept_characters=keep, progress=progress, reason="REPAIR", message="again", attempt=1, retry_count=0
    )


def written(log: FakeEventLog) -> list[StoredEvent]:
    return [entry.event for entry in log.read(JOB, after=0)]


def text_of(log: FakeEventLog) -> str:
    """Return the text that a reader gets from the beginning of the log."""
    transcript = Transcript()
    for frame in LogReader(log, JOB).poll():
        transcript.apply(frame.id, frame.event)
    return transcript.text


@pytest.fixture
def long_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set an interval that no test waits for, so each append before its end was made at once."""
    monkeypatch.setattr(writing, "COALESCE_SECONDS", 3600.0)


@pytest.fixture
def no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "COALESCE_SECONDS", 0.0)


class TestCoalescing:
    @pytest.mark.usefixtures("long_interval")
    def test_the_first_delta_is_appended_at_once_and_the_rest_of_the_interval_in_one_append(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> str:
            writer.write("a")
            await until(lambda: log.appends)
            for piece in "bcd":
                writer.write(piece)
                await asyncio.sleep(0)
            return "done"

        assert run(writer, work) == "done"
        assert written(log) == [Delta(text="a"), Delta(text="bcd")]

    def test_a_stream_of_tokens_costs_one_append_per_interval(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            while len(log.appends) < 4:
                writer.write("x")
                await asyncio.sleep(0.001)

        began = time.monotonic()
        run(writer, work)
        intervals = (time.monotonic() - began) / writing.COALESCE_SECONDS
        # The first append at once, one for each interval, and the last one.
        assert 4 <= len(log.appends) <= intervals + 2
        assert text_of(log) == writer.text

    @pytest.mark.usefixtures("long_interval")
    def test_write_while_appends_the_last_delta_before_it_returns(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("first")
            await until(lambda: log.appends)
            writer.write(", last")

        run(writer, work)
        assert text_of(log) == writer.text == "first, last"
        assert writer.tail == log.tail(JOB)

    @pytest.mark.usefixtures("long_interval")
    def test_the_last_text_of_a_failing_attempt_is_appended(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("first")
            await until(lambda: log.appends)
            writer.write(", last")
            raise ConnectionError

        with pytest.raises(ConnectionError):
            run(writer, work)
        assert text_of(log) == "first, last"

    def test_an_empty_text_is_not_appended(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("")

        run(writer, work)
        assert log.appends == []

    def test_an_appended_event_comes_after_the_text_written_before_it(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("calling ")
            await writer.append(Tool(name="search", status="started"))
            writer.write("called")

        run(writer, work)
        assert written(log) == [Delta(text="calling "), Tool(name="search", status="started"), Delta(text="called")]

    def test_events_beyond_one_batch_become_several_batches(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)
        events = tuple(Tool(name=f"tool {number}", status="started") for number in range(2 * MAX_BATCH + 1))

        async def work() -> None:
            await writer.append(*events)

        run(writer, work)
        assert written(log) == list(events)
        assert [len(batch.events) for batch in log.appends] == [MAX_BATCH, MAX_BATCH, 1]

    @pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
    def test_a_batch_has_one_to_four_events(self, count: int) -> None:
        with pytest.raises(ValueError, match="a batch holds 1 to 4 events"):
            Batch(1, (Delta(text="x"),) * count, FIRST, NOON, expires_at=EXPIRES_AT)


class TestSizes:
    def test_a_delta_that_is_too_large_is_split(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "MAX_DELTA_CHARS", 10)
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.report_progress(50)
            writer.write("0123456789abcdefghijKLMNO")

        run(writer, work)
        texts = [event.text for event in written(log) if isinstance(event, Delta)]
        assert texts == ["0123456789", "abcdefghij", "KLMNO"]
        assert [event for event in written(log) if isinstance(event, Progress)] == [Progress(progress=50)]
        assert text_of(log) == writer.text

    def test_log_bytes_count_the_text_in_utf_8(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("é")
            await writer.flush()
            await writer.reset(reset(1))
            writer.write("übrig")

        run(writer, work)
        assert log.tail(JOB).log_bytes == writer.tail.log_bytes == 2 + 6


class TestResets:
    @pytest.mark.parametrize("flushed", [False, True])
    def test_a_reset_is_one_small_event_whatever_the_length_of_the_text(
        self, monkeypatch: pytest.MonkeyPatch, flushed: bool
    ) -> None:
        monkeypatch.setattr(writing, "MAX_DELTA_CHARS", 10)
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("0123456789🎼bc wrong")
            if flushed:
                await writer.flush()
            await writer.reset(reset(13))
            writer.write("def")

        run(writer, work)
        assert text_of(log) == writer.text == "0123456789🎼bcdef"
        assert written(log)[-2:] == [reset(13), Delta(text="def")]

    def test_a_reset_discards_text_that_is_not_appended_and_that_it_does_not_keep(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("kept")
            await writer.flush()
            writer.write(" dropped", cursor="after what is dropped")
            await writer.reset(reset(4))

        asyncio.run(work())  # without appends in the background, which may be first
        assert written(log) == [Delta(text="kept"), reset(4)]
        assert log.tail(JOB).cursor is None

    def test_a_reset_cannot_keep_more_than_there_is(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.write("abc")
            with pytest.raises(ValueError, match="cannot keep 4 characters of a text of 3"):
                await writer.reset(reset(4))

        run(writer, work)
        assert written(log) == [Delta(text="abc")]

    def test_the_text_after_a_reset_whose_append_failed_is_still_whole(self) -> None:
        log = FaultyLog(StorageThrottled("busy"))
        writer = new_writer(log)

        async def work() -> None:
            writer.write("abc")
            with pytest.raises(StorageThrottled):
                await writer.reset(reset(0))
            await writer.flush()

        asyncio.run(work())
        assert text_of(log) == writer.text == "abc"


class TestProgress:
    def test_progress_is_appended_with_the_next_delta_and_never_decreases(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            for percent, text in ((10, "a"), (5, "b"), (20, "c"), (20, "d"), (400, "e")):
                writer.report_progress(percent)
                writer.write(text)
                await writer.flush()

        run(writer, work)
        assert [event.progress for event in written(log) if isinstance(event, Progress)] == [10, 20, 100]
        assert writer.progress == 100
        assert len(log.appends) == 5  # no append has progress alone

    def test_progress_after_the_last_delta_is_appended_at_the_end(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.report_progress(95)

        run(writer, work)
        assert written(log) == [Progress(progress=95)]

    def test_only_a_reset_decreases_progress(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            writer.report_progress(60)
            writer.write("right but wrong")
            await writer.flush()
            writer.write("dropped")
            await writer.reset(reset(5, 30))
            writer.report_progress(20)
            writer.write("!")

        run(writer, work)
        assert (text_of(log), writer.text, writer.progress) == ("right!", "right!", 30)
        assert written(log)[-2:] == [reset(5, 30), Delta(text="!")]

    def test_progress_of_a_failed_append_is_in_the_next_append(self) -> None:
        log = FaultyLog(StorageThrottled("busy"))
        writer = new_writer(log)

        async def work() -> None:
            writer.report_progress(50)
            writer.write("a")
            with pytest.raises(StorageThrottled):
                await writer.flush()
            await writer.flush()

        run(writer, work)
        assert written(log) == [Delta(text="a"), Progress(progress=50)]


class TestFencing:
    def test_a_superseded_writer_stops_at_its_next_append_and_stores_nothing(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)
        stopped: list[str] = []

        async def work() -> None:
            writer.write("mine")
            await until(lambda: log.appends)
            claim(log, JOB, SECOND, (reset(),), at=SettableClock(), expires_at=EXPIRES_AT)
            writer.write("too late")
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append("model call")

        with pytest.raises(AttemptSuperseded):
            run(writer, work)
        assert written(log) == [Delta(text="mine"), reset()]
        assert stopped == ["model call"]

    def test_a_writer_of_a_cancelled_job_stops_at_its_next_append(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> None:
            claim(log, JOB, Fence(1, 999, 0, "cccccccc"), (Cancelled(),), at=SettableClock(), expires_at=EXPIRES_AT)
            writer.write("too late")
            await asyncio.Event().wait()

        with pytest.raises(JobEnded):
            run(writer, work)
        assert written(log) == [Cancelled()]

    def test_a_silent_writer_stops_after_its_job_is_cancelled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 0.01)
        checks: list[int] = []

        def check_job() -> None:
            checks.append(1)
            if len(checks) == 3:
                raise JobEnded("cancelled")

        writer = new_writer(FakeEventLog(), check_job=check_job)
        stopped: list[str] = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append("model call")

        with pytest.raises(JobEnded):
            run(writer, work)
        assert len(checks) == 3
        assert stopped == ["model call"]

    def test_a_superseded_writer_cannot_finish(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)

        async def work() -> str:
            claim(log, JOB, SECOND, (reset(),), at=SettableClock(), expires_at=EXPIRES_AT)
            writer.write("too late")
            return "a result that must not be used"

        with pytest.raises(AttemptSuperseded):
            run(writer, work)
        assert text_of(log) == ""

    def test_a_superseded_writer_cannot_append_after_its_events_were_compacted(self) -> None:
        log = FakeEventLog()
        slow, quick = new_writer(log), new_writer(log, SECOND, bounds=LogBounds(max_events=5))

        async def work() -> None:
            slow.write("slow")
            await slow.flush()
            quick._tail = claim(log, JOB, SECOND, (reset(),), at=SettableClock(), expires_at=EXPIRES_AT)
            for _ in range(20):
                await quick.append(Delta(text="quick "))
            slow.write("late")
            with pytest.raises(AttemptSuperseded):
                await slow.flush()

        asyncio.run(work())
        assert log.snapshot(JOB) is not None
        assert len(log.read(JOB, after=0)) < 15
        assert text_of(log) == "quick " * 20

    def test_a_claim_with_a_lower_fence_or_after_the_terminal_event_is_refused(self) -> None:
        log = FakeEventLog()
        claim(log, JOB, SECOND, (Delta(text="second"),), at=SettableClock(), expires_at=EXPIRES_AT)
        with pytest.raises(AttemptSuperseded):
            claim(log, JOB, FIRST, (Delta(text="first"),), at=SettableClock(), expires_at=EXPIRES_AT)
        claim(log, JOB, Fence(1, 999, 0, "cccccccc"), (Cancelled(),), at=SettableClock(), expires_at=EXPIRES_AT)
        with pytest.raises(JobEnded):
            claim(log, JOB, Fence(1, 999, 9, "dddddddd"), (Cancelled(),), at=SettableClock(), expires_at=EXPIRES_AT)
        assert len(log.appends) == 2

    def test_the_next_generation_may_append_after_a_terminal_event(self) -> None:
        log = FakeEventLog()
        claim(log, JOB, Fence(1, 999, 0, "cccccccc"), (Cancelled(),), at=SettableClock(), expires_at=EXPIRES_AT)
        tail = claim(log, JOB, Fence(2, 0, 0, "dddddddd"), (reset(),), at=SettableClock(), expires_at=EXPIRES_AT)
        assert (tail.seq, tail.terminal) == (2, False)

    def test_a_claim_returns_none_when_the_tail_is_not_the_expected_one(self) -> None:
        log = FakeEventLog()
        claim(log, JOB, FIRST, (Delta(text="first"),), at=SettableClock(), expires_at=EXPIRES_AT)
        assert (
            claim(log, JOB, SECOND, (Delta(text="x"),), at=SettableClock(), expires_at=EXPIRES_AT, expected=LogTail())
            is None
        )
        assert claim(
            log, JOB, SECOND, (Delta(text="x"),), at=SettableClock(), expires_at=EXPIRES_AT, expected=log.tail(JOB)
        ) == log.tail(JOB)


class FaultyLog(FakeEventLog):
    """Fails the first appends with these faults; if `stored`, the append succeeds and only the response is lost."""

    def __init__(self, *faults: MillraceError, stored: bool = False) -> None:
        super().__init__()
        self._faults = list(faults)
        self._stored = stored

    def append(self, job_id: str, batch: Batch) -> int:
        fault = self._faults.pop(0) if self._faults else None
        watched = super().append(job_id, batch) if fault is None or self._stored else 0
        if fault is not None:
            raise fault
        return watched


class TestExpiry:
    @pytest.mark.usefixtures("no_interval")
    def test_an_attempt_stops_when_its_job_expires_while_text_flows(self) -> None:
        log, clock = FakeEventLog(), SettableClock()
        writer = new_writer(log, clock=clock)

        async def work() -> None:
            for _ in range(1000):
                writer.write("word ")
                clock.advance(60)
                await asyncio.sleep(0)

        with pytest.raises(JobEnded, match="the job has expired"):
            run(writer, work)
        assert log.appends != []
        assert all(batch.at.timestamp() < EXPIRES_AT for batch in log.appends)


class TestLostAppends:
    def test_a_failing_append_ends_the_attempt_and_leaves_no_gap_in_the_text(self) -> None:
        log = FaultyLog(StorageThrottled("busy"))
        writer = new_writer(log)

        async def work() -> None:
            writer.write("one ")
            while True:
                await asyncio.sleep(0.001)
                writer.write("two ")

        with pytest.raises(StorageThrottled):
            run(writer, work)
        assert text_of(log).startswith("one ")
        assert writer.text.startswith(text_of(log))

    def test_an_append_whose_response_was_lost_is_in_the_log_once(self) -> None:
        log = FaultyLog(StorageUnavailable("no response"), stored=True)
        writer = new_writer(log)

        async def work() -> None:
            writer.write("once")
            await asyncio.Event().wait()

        with pytest.raises(StorageUnavailable):
            run(writer, work)
        assert written(log) == [Delta(text="once")]

    def test_a_writer_that_finds_its_own_append_reports_a_storage_fault(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log)
        log.append(JOB, Batch(1, (Delta(text="mine"),), FIRST, NOON, expires_at=EXPIRES_AT))

        async def work() -> None:
            writer.write("mine and more")
            await asyncio.Event().wait()

        with pytest.raises(StorageUnavailable, match="the response to an append was lost"):
            run(writer, work)
        assert text_of(log) == "mine"

    def test_an_attempt_ends_when_its_job_cannot_be_checked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 0.01)

        def check_job() -> None:
            raise StorageUnavailable("no response")

        async def work() -> None:
            await asyncio.Event().wait()

        with pytest.raises(StorageUnavailable):
            run(new_writer(FakeEventLog(), check_job=check_job), work)


class BoundedLog(FakeEventLog):
    """Checks at each append that the log exceeds its bounds by this append at most."""

    def __init__(self, bounds: LogBounds) -> None:
        super().__init__()
        self._bounds = bounds

    def append(self, job_id: str, batch: Batch) -> int:
        snapshot = self.snapshot(job_id)
        kept = [each.events for each in self._in_order(job_id)]
        # The newest batch is never compacted, so it may be larger than the bound.
        if len(kept) > 1:
            assert sum(map(text_bytes, kept)) < self._bounds.max_bytes
            assert batch.first - 1 - (snapshot.seq if snapshot else 0) < self._bounds.max_events
        return super().append(job_id, batch)


SIZES = st.integers(1, 700)


async def act_on(writer: LogWriter, act: str, number: int, size: int) -> None:
    match act:
        case "write":
            writer.write("é" * size)
            await writer.flush()
        case "item":
            await writer.append_item("draft", f"key-{number}", {"text": "x" * size})
        case "tools":
            await writer.append(*(Tool(name="search", status="finished"),) * size)
        case "verse":
            await writer.append(Verse(line="x" * size))
        case "progress":
            for step in range(size):
                writer.report_progress(number * 8 + step / 3)
                await writer.flush()
        case "cursor":
            for step in range(size):
                await writer.store_cursor(f"{number}-{step}")
        case _:
            writer.write("x" * size)
            await writer.reset(reset(len(writer.text) - size // 2))


class TestBound:
    @settings(max_examples=60, deadline=None)
    @given(
        acts=st.lists(
            st.one_of(
                st.tuples(st.just("write"), SIZES),
                st.tuples(st.just("item"), SIZES),
                st.tuples(st.just("tools"), st.integers(1, 20)),
                st.tuples(st.just("verse"), SIZES),
                st.tuples(st.just("reset"), SIZES),
                st.tuples(st.sampled_from(["progress", "cursor"]), st.integers(1, 20)),
            ),
            min_size=1,
            max_size=12,
        )
    )
    def test_the_log_exceeds_its_bounds_by_one_append_at_most(self, acts: list[tuple[str, int]]) -> None:
        bounds = LogBounds(max_events=12, max_bytes=600)
        writer = new_writer(BoundedLog(bounds), bounds=bounds)

        async def main() -> None:
            for number, (act, size) in enumerate(acts):
                await act_on(writer, act, number, size)

        with patch.object(writing, "MAX_DELTA_CHARS", 50):
            asyncio.run(main())

    def test_compaction_keeps_the_log_within_its_number_of_events(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log, bounds=LogBounds(max_events=10))
        longest = 0

        async def work() -> None:
            nonlocal longest
            for number in range(60):
                await writer.append(Delta(text=f"{number} "))
                longest = max(longest, len(log.read(JOB, after=0)))

        run(writer, work)
        assert 8 <= longest <= 10
        assert text_of(log) == "".join(f"{number} " for number in range(60))
        assert len(log.appends) == 60

    def test_compaction_keeps_the_log_within_its_bytes(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log, bounds=LogBounds(max_bytes=1000))
        most = 0

        async def work() -> None:
            nonlocal most
            for _ in range(60):
                await writer.append(Delta(text="x" * 100))
                deltas = [event for event in written(log) if isinstance(event, Delta)]
                most = max(most, sum(len(event.text) for event in deltas))

        run(writer, work)
        assert 900 <= most <= 1000
        assert text_of(log) == "x" * 6000

    @pytest.mark.usefixtures("no_interval")
    def test_deltas_are_compacted_too(self) -> None:
        log = FakeEventLog()
        writer = new_writer(log, bounds=LogBounds(max_events=10))

        def is_longer_than(count: int) -> bool:
            return len(log.appends) > count

        async def work() -> None:
            for number in range(30):
                writer.write("x")
                await until(partial(is_longer_than, number))

        run(writer, work)
        assert len(log.read(JOB, after=0)) < 14
        assert text_of(log) == "x" * 30

    def test_a_writer_compacts_a_log_that_earlier_stages_filled(self) -> None:
        log = FakeEventLog()
        tail = LogTail()
        for _ in range(30):
            tail = claim(log, JOB, FIRST, (Delta(text="x"),), at=SettableClock(), expires_at=EXPIRES_AT)
        writer = new_writer(log, SECOND, tail=tail, bounds=LogBounds(max_events=20))

        async def work() -> None:
            await writer.append(Delta(text="y"))

        run(writer, work)
        assert len(log.read(JOB, after=0)) == 1  # the newest
        assert text_of(log) == "x" * 30 + "y"

    def test_a_superseded_writer_compacts_nothing(self) -> None:
        log = FakeEventLog()

        def check_job() -> None:
            raise AttemptSuperseded("a newer attempt has claimed the job")

        writer = new_writer(log, bounds=LogBounds(max_events=3), check_job=check_job)

        async def work() -> None:
            for _ in range(10):
                await writer.append(Delta(text="x"))

        with pytest.raises(AttemptSuperseded):
            run(writer, work)
        assert log.snapshot(JOB) is None

    def test_compacting_without_older_events_changes_nothing(self) -> None:
        log = FakeEventLog()
        assert compact(log, JOB, 0, expires_at=EXPIRES_AT) is None
        for text in "abc":
            claim(log, JOB, FIRST, (Delta(text=text),), at=SettableClock(), expires_at=EXPIRES_AT)
        snapshot = compact(log, JOB, 3, expires_at=EXPIRES_AT)
        assert snapshot is not None
        assert (snapshot.seq, snapshot.text) == (2, "ab")
        assert compact(log, JOB, 3, expires_at=EXPIRES_AT) == snapshot == log.snapshot(JOB)

    def test_an_older_snapshot_does_not_replace_a_newer_one(self) -> None:
        log = FakeEventLog()
        for text in "abcd":
            claim(log, JOB, FIRST, (Delta(text=text),), at=SettableClock(), expires_at=EXPIRES_AT)
        newer = compact(log, JOB, 4, expires_at=EXPIRES_AT)
        assert newer is not None
        log.compact(JOB, type(newer)(1, "a", None, 0), expires_at=EXPIRES_AT)
        assert log.snapshot(JOB) == newer


def test_further_text_can_be_spared_until_shortly_before_the_next_append() -> None:
    writer = new_writer(FakeEventLog())
    assert writer.spare_seconds() == 0  # the first text is appended at once

    async def work() -> None:
        writer.write("first")
        await until(lambda: writer.spare_seconds() > 0)

    run(writer, work)
    writer._due_at = 1_000.0
    spared = []
    for before in (0.09, 0.02, 0.004, -0.01):
        with patch("time.monotonic", return_value=1_000.0 - before):
            spared.append(round(writer.spare_seconds(), 3))
    assert spared == [writing.READ_SECONDS, 0.015, 0, 0]
