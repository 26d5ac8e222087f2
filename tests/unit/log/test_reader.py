"""Read a log from any position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.event_log import Batch, LogEntry, LogSnapshot, LogTail
from shared.log.events import Cancelled, Delta, Reset, Snapshot, StageStarted, StoredEvent, StoredReset
from shared.log.fence import Fence
from shared.log.reader import Frame, LogReader, read_transcript
from tests.fakes.clock import EXPIRES_AT, NOON, SettableClock
from tests.fakes.event_log import FakeEventLog

JOB = "job_1"


FENCE = Fence(1, 0, 0, "aaaaaaaa")


def append(log: FakeEventLog, *events: StoredEvent, fence: Fence = FENCE, job_id: str = JOB) -> LogTail:
    return claim(log, job_id, fence, events, at=SettableClock(), expires_at=EXPIRES_AT)


def deltas(frames: Sequence[Frame]) -> list[tuple[int, str]]:
    return [(frame.id, frame.event.text) for frame in frames if isinstance(frame.event, Delta)]


def reset(keep: int, of: Literal["text", "checkpoint"] = "text", text: str | None = None) -> StoredReset:
    return StoredReset(
        kept_of=of,
        kept_characters=keep,
        text=text,
        progress=0,
        reason="RESUMED",
        message="again",
        attempt=1,
        retry_count=0,
    )


def long_log(count: int = 10) -> FakeEventLog:
    """Return a log with one delta `<seq> ` per batch."""
    log = FakeEventLog()
    for seq in range(1, count + 1):
        append(log, Delta(text=f"{seq} "))
    return log


class ScriptedReads(FakeEventLog):
    """Returns only these sequence numbers from its first reads, as an eventually consistent store may."""

    def __init__(self, *reads: Sequence[int]) -> None:
        super().__init__()
        self._reads = list(reads)

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        entries = super().read(job_id, after=after)
        if self._reads and not consistent:
            shown = self._reads.pop(0)
            return [entry for entry in entries if entry.seq in shown]
        return entries


class TestReading:
    def test_every_event_is_returned_once_and_in_order(self) -> None:
        log = long_log(3)
        reader = LogReader(log, JOB)
        assert deltas(reader.poll()) == [(1, "1 "), (2, "2 "), (3, "3 ")]
        assert reader.poll() == []
        append(log, Delta(text="4 "))
        assert deltas(reader.poll()) == [(4, "4 ")]

    @pytest.mark.parametrize("after", range(9))
    def test_reading_can_begin_in_the_middle_of_a_batch(self, after: int) -> None:
        log = FakeEventLog()
        append(log, *(Delta(text=f"{seq} ") for seq in (1, 2, 3, 4)))
        append(log, *(Delta(text=f"{seq} ") for seq in (5, 6, 7, 8)))
        found = deltas(LogReader(log, JOB, after=after).poll())
        assert found == [(seq, f"{seq} ") for seq in range(after + 1, 9)]

    def test_the_snapshot_replaces_compacted_events(self) -> None:
        log = long_log(10)
        compact(log, JOB, 0, expires_at=EXPIRES_AT)
        reader = LogReader(log, JOB, after=3)
        first, *rest = reader.poll()
        assert first == Frame(9, Snapshot(text="1 2 3 4 5 6 7 8 9 ", stage=None, progress=0))
        assert deltas(rest) == [(10, "10 ")]

    def test_a_reader_after_the_snapshot_does_not_get_it(self) -> None:
        log = long_log(10)
        compact(log, JOB, 0, expires_at=EXPIRES_AT)
        assert LogReader(log, JOB, after=9).poll() == [Frame(10, Delta(text="10 "))]

    def test_the_snapshot_covers_several_attempts(self) -> None:
        log = long_log(4)
        append(log, StageStarted(stage="polish", index=2, of=2), fence=Fence(1, 1, 0, "bbbbbbbb"))
        append(log, Delta(text="6 "), fence=Fence(1, 1, 0, "bbbbbbbb"))
        append(log, Delta(text="7 "), fence=Fence(1, 1, 0, "bbbbbbbb"))
        compact(log, JOB, 0, expires_at=EXPIRES_AT)
        assert [entry.seq for entry in log.read(JOB, after=0)] == [7]
        frames = LogReader(log, JOB).poll()
        assert [frame.id for frame in frames] == [6, 7]
        assert frames[0].event == Snapshot(text="1 2 3 4 6 ", stage="polish", progress=0)

    def test_a_poll_ends_before_a_skipped_event(self) -> None:
        log = ScriptedReads([1, 3], [1, 2, 3])
        for seq in (1, 2, 3):
            append(log, Delta(text=f"{seq} "))
        reader = LogReader(log, JOB)
        assert deltas(reader.poll()) == [(1, "1 ")]
        assert deltas(reader.poll()) == [(2, "2 "), (3, "3 ")]

    def test_a_poll_that_misses_the_next_event_returns_nothing_until_a_snapshot_covers_the_gap(self) -> None:
        log = ScriptedReads([5, 6], [5, 6], [5, 6])
        for seq in range(1, 7):
            append(log, Delta(text=f"{seq} "))
        reader = LogReader(log, JOB, after=2)
        assert reader.poll() == []
        log.compact(JOB, LogSnapshot(2, "1 2 ", None, 0), expires_at=EXPIRES_AT)
        assert reader.poll() == []  # the snapshot covers only events that the reader has returned
        log.compact(JOB, LogSnapshot(4, "1 2 3 4 ", None, 0), expires_at=EXPIRES_AT)
        assert [frame.id for frame in reader.poll()] == [4, 5, 6]

    def test_a_frame_with_a_terminal_event_is_terminal(self) -> None:
        assert Frame(1, Cancelled()).terminal
        assert not Frame(1, Delta(text="x")).terminal


def resumed_log() -> FakeEventLog:
    """Return a log of four deltas, a cancellation, the reset of a resumption and one more delta."""
    log = long_log(4)
    append(log, Cancelled())
    append(log, reset(4), fence=Fence(2, 0, 0, ""))
    append(log, Delta(text="7 "), fence=Fence(2, 0, 0, "bbbbbbbb"))
    return log


class TestResumed:
    @pytest.mark.parametrize("after", [0, 1, 3, 4])
    def test_no_watcher_is_told_an_end_before_a_resumption(self, after: int) -> None:
        frames = LogReader(resumed_log(), JOB, after=after).poll()
        assert [frame.id for frame in frames] == [5, 6, 7]
        assert frames[0].event == Snapshot(text="1 2 3 4 ", stage=None, progress=0)
        assert not any(frame.terminal for frame in frames)

    def test_a_watcher_that_saw_the_end_gets_what_follows(self) -> None:
        assert [frame.id for frame in LogReader(resumed_log(), JOB, after=5).poll()] == [6, 7]

    def test_a_read_too_old_to_contain_the_resumption_tells_no_end(self) -> None:
        log = resumed_log()
        read = log.read

        def read_old(job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
            entries = read(job_id, after=after, consistent=consistent)
            return entries if consistent else [entry for entry in entries if entry.seq <= 5]

        log.read = read_old  # type: ignore[method-assign]
        assert [frame.id for frame in LogReader(log, JOB, after=2).poll()] == [5, 6, 7]

    @pytest.mark.parametrize("after", [0, 2])
    def test_a_snapshot_that_covers_more_than_the_earlier_generation_is_followed_by_the_next_event(
        self, after: int
    ) -> None:
        log = resumed_log()
        read = log.read

        def then_compact(job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
            entries = read(job_id, after=after, consistent=consistent)
            log.read = read  # type: ignore[method-assign]
            for seq in (8, 9):
                append(log, Delta(text=f"{seq} "), fence=Fence(2, 0, 0, "bbbbbbbb"))
            compact(log, JOB, 0, expires_at=EXPIRES_AT)
            return entries

        log.read = then_compact  # type: ignore[method-assign]
        reader = LogReader(log, JOB, after=after)
        assert reader.poll() == [Frame(8, Snapshot(text="1 2 7 8 ", stage=None, progress=0))]
        assert reader.poll() == [Frame(9, Delta(text="9 "))]

    def test_the_last_end_is_told(self) -> None:
        log = resumed_log()
        append(log, Cancelled(), fence=Fence(2, 999, 0, "cccccccc"))
        frames = LogReader(log, JOB, after=2).poll()
        assert [frame.id for frame in frames] == [5, 6, 7, 8]
        assert [frame.terminal for frame in frames] == [False, False, False, True]


class TestResets:
    """The stream sends a reset with the text that it keeps; the log stores where that text is."""

    @staticmethod
    def log() -> FakeEventLog:
        """Return a log whose event 4 is a reset to the first two of its three deltas."""
        log = FakeEventLog()
        append(log, Delta(text="one 🏔️ "), Delta(text="two 🎼 "), Delta(text="three"))
        append(log, reset(len("one 🏔️ two 🎼 ")), StageStarted(stage="draft", index=1, of=2))
        return log

    @pytest.mark.parametrize("after", [0, 1, 2, 3])
    def test_a_reset_is_sent_with_its_text_wherever_the_reader_began(self, after: int) -> None:
        *_, frame, started = LogReader(self.log(), JOB, after=after).poll()
        assert isinstance(frame.event, Reset)
        assert (frame.id, frame.event.text, started.id) == (4, "one 🏔️ two 🎼 ", 5)

    def test_a_reset_that_an_earlier_version_stored_is_sent_with_the_text_that_it_has(self) -> None:
        log = long_log(3)
        append(log, reset(0, text="1 3 "))
        append(log, Delta(text="5 "))
        append(log, reset(3))
        for after in (0, 2, 3, 4):
            *_, last = LogReader(log, JOB, after=after).poll()
            assert isinstance(last.event, Reset)
            assert last.event.text == "1 3"
        (only,) = [frame.event for frame in LogReader(log, JOB, after=2).poll() if frame.id == 4]
        assert isinstance(only, Reset)
        assert only.text == "1 3 "

    def test_a_reader_in_the_middle_reads_the_events_before_once(self) -> None:
        log = self.log()
        reader = LogReader(log, JOB, after=2)
        assert [frame.id for frame in reader.poll()] == [3, 4, 5]
        reads: list[int] = []
        read = log.read

        def counted(job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
            reads.append(after)
            return read(job_id, after=after, consistent=consistent)

        log.read = counted  # type: ignore[method-assign]
        append(log, Delta(text="more"), reset(5))
        *_, last = reader.poll()
        assert isinstance(last.event, Reset)
        assert last.event.text == "one 🏔"
        assert reads == [5]

    def test_a_snapshot_replaces_a_reset_whose_earlier_events_are_compacted_between_two_reads(self) -> None:
        log = self.log()
        append(log, Delta(text="four"))
        read = log.read

        def then_compact(job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
            entries = read(job_id, after=after, consistent=consistent)
            log.read = read  # type: ignore[method-assign]
            compact(log, JOB, 0, expires_at=EXPIRES_AT)
            return entries

        log.read = then_compact  # type: ignore[method-assign]
        frames = LogReader(log, JOB, after=2).poll()
        assert [frame.id for frame in frames] == [3, 5, 6]
        assert frames[1].event == Snapshot(text="one 🏔️ two 🎼 ", stage="draft", progress=0)

    def test_a_reader_waits_before_a_reset_if_earlier_events_are_not_readable(self) -> None:
        log = self.log()
        log.forget_first(JOB)
        append(log, Delta(text="more"))
        reader = LogReader(log, JOB, after=3)
        assert reader.poll() == []
        assert reader.position == 3

    def test_a_reset_to_a_checkpoint_restores_text_that_was_removed(self) -> None:
        log = FakeEventLog()
        append(log, StageStarted(stage="draft", index=1, of=2), Delta(text="the draft"))
        append(log, StageStarted(stage="polish", index=2, of=2), reset(0), Delta(text="the repair"))
        compact(log, JOB, 0, expires_at=EXPIRES_AT)
        append(log, Delta(text="!"))
        compact(log, JOB, 0, expires_at=EXPIRES_AT)
        append(log, reset(9, "checkpoint"), StageStarted(stage="polish", index=2, of=2, attempt=2))
        for after in (0, 5, 6):
            *_, frame, _ = LogReader(log, JOB, after=after).poll()
            assert isinstance(frame.event, Reset)
            assert frame.event.text == "the draft"
        assert read_transcript(log, JOB).text == "the draft"


def test_an_entry_has_the_time_of_its_append() -> None:
    log = FakeEventLog()
    log.append(JOB, Batch(1, (Delta(text="x"), Cancelled()), FENCE, NOON, expires_at=EXPIRES_AT))
    first, last = log.read(JOB, after=0)
    assert (first.at, first.first, last.first) == (NOON, 1, 1)
    assert (first.terminal, last.terminal) == (False, True)
