"""The EventLog, in memory and on DynamoDB, stores events in one order without gaps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import AttemptSuperseded, ErrorCode
from shared.jobs.ids import new_job_id
from shared.log.claim import claim
from shared.log.compaction import compact, renew
from shared.log.event_log import Batch, LogSnapshot, LogTail, SequenceTaken
from shared.log.events import (
    Cancelled,
    Complete,
    Delta,
    Failed,
    Item,
    Progress,
    StageStarted,
    StoredEvent,
    StoredReset,
    Subtask,
    Tool,
    dump_events,
)
from shared.log.fence import Fence
from shared.log.history import HistoryEntry
from shared.log.reader import LogReader
from shared.log.transcript import Transcript
from shared.log.usage import JobUsage
from tests.fakes.clock import EXPIRES_AT, NOON
from tests.storage.at_once import CALLERS, at_once
from tests.storage.ports import AwsServer, Ports, adapters

FENCE = Fence(1, 0, 0, "aaaaaaaa")
NEXT = Fence(1, 0, 1, "bbbbbbbb")


@pytest.fixture
def job_id() -> str:
    return new_job_id(0)


def batch(first: int, *texts: str, fence: Fence = FENCE) -> Batch:
    return Batch(first, tuple(Delta(text=text) for text in texts), fence, NOON, log_bytes=first, expires_at=EXPIRES_AT)


def fill(ports: Ports, job_id: str, count: int, *, text: str = "x", fence: Fence = FENCE) -> None:
    for _ in range(count):
        claim(ports.log, job_id, fence, (Delta(text=text),), at=ports.clock, expires_at=EXPIRES_AT)


def items_of(server: AwsServer, job_id: str) -> dict[str, dict[str, Any]]:
    """Return the items in the job's partition by their sort keys."""
    found = server.dynamodb.query(
        TableName=server.table,
        KeyConditionExpression="PK = :pk",
        ExpressionAttributeValues={":pk": {"S": f"JOB#{job_id}"}},
    )
    return {item["SK"]["S"]: dict(item) for item in found["Items"]}


class TestAppending:
    def test_the_log_returns_every_type_of_event_unchanged(self, ports: Ports, job_id: str) -> None:
        events: list[StoredEvent] = [
            StageStarted(stage="draft", index=1, of=2, attempt=3),
            Progress(progress=33.3),
            Delta(text='quotes " and \n lines – ⏳ \x00'),
            Tool(name="search", status="finished", detail={"found": [1, 2.5, {"deep": True}], "by": "ü"}),
            StoredReset(kept_characters=1, progress=5, reason="REPAIR", message="m", attempt=1, retry_count=0),
            Complete(usage=JobUsage(input_tokens=1, cost_usd=0.25)),
            Failed(code=ErrorCode.MODEL_REFUSED, message="m", attempt=1, retry_count=2, retryable=False),
            Cancelled(stage="draft"),
        ]
        for seq, event in enumerate(events, 1):
            ports.log.append(job_id, Batch(seq, (event,), FENCE, NOON, 7, expires_at=EXPIRES_AT))
        found = ports.log.read(job_id, after=0)
        assert [entry.event for entry in found] == events
        assert [(entry.seq, entry.first, entry.at) for entry in found] == [(seq, seq, NOON) for seq in range(1, 9)]

    def test_only_one_batch_can_have_a_sequence_number(self, ports: Ports, job_id: str) -> None:
        ports.log.append(job_id, batch(1, "mine"))
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, batch(1, "theirs", fence=NEXT))
        assert [entry.event for entry in ports.log.read(job_id, after=0)] == [Delta(text="mine")]

    def test_a_repeated_append_succeeds_after_a_lost_response(self, ports: Ports, job_id: str) -> None:
        ports.log.append(job_id, batch(1, "once"))
        ports.log.append(job_id, batch(1, "once"))
        assert len(ports.log.read(job_id, after=0)) == 1

    @pytest.mark.parametrize("other", [batch(1, "other"), batch(1, "once", fence=NEXT), batch(1, "once", "more")])
    def test_only_the_same_events_of_the_same_attempt_are_a_repeat(
        self, ports: Ports, job_id: str, other: Batch
    ) -> None:
        ports.log.append(job_id, batch(1, "once"))
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, other)

    def test_one_of_twenty_concurrent_appends_at_a_sequence_number_succeeds(self, ports: Ports, job_id: str) -> None:
        def append(number: int) -> int | None:
            try:
                ports.log.append(job_id, batch(1, f"{number}", fence=Fence(1, 0, number, "aaaaaaaa")))
            except SequenceTaken:
                return None
            return number

        (winner,) = [number for number in at_once(append) if number is not None]
        assert [entry.event for entry in ports.log.read(job_id, after=0)] == [Delta(text=f"{winner}")]

    def test_twenty_concurrent_claims_leave_a_log_in_the_order_of_their_fences(self, ports: Ports, job_id: str) -> None:
        def take(number: int) -> str | None:
            fence, text = Fence(1, 0, number, "aaaaaaaa"), f"{number:02} "
            try:
                claim(
                    ports.log,
                    job_id,
                    fence,
                    (Delta(text=text), Progress(progress=1)),
                    at=ports.clock,
                    expires_at=EXPIRES_AT,
                )
            except AttemptSuperseded:
                return None  # superseded before its append or after it
            return text

        holders = {text for text in at_once(take) if text is not None}
        entries = ports.log.read(job_id, after=0)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        texts = [entry.event.text for entry in entries if isinstance(entry.event, Delta)]
        assert texts == sorted(texts)
        assert holders <= set(texts)
        assert texts[-1] == f"{CALLERS - 1:02} "
        assert texts[-1] in holders


class TestMarks:
    def test_the_next_append_finds_the_mark_and_the_later_ones_carry_it_on(self, ports: Ports, job_id: str) -> None:
        assert ports.log.append(job_id, batch(1, "a", "b")) == 0
        for _ in range(2):
            assert ports.log.mark_watched(job_id, expires_at=EXPIRES_AT) == 2
        assert ports.log.append(job_id, batch(3, "c")) == 3
        assert ports.log.append(job_id, replace(batch(4, "d"), watched=3)) == 3
        assert ports.log.tail(job_id) == LogTail(4, 4, FENCE, watched=3)
        assert ports.log.mark_watched(job_id, expires_at=EXPIRES_AT) == 4
        assert ports.log.append(job_id, replace(batch(5, "e"), watched=3)) == 5

    def test_a_mark_is_no_event_and_takes_no_number(self, ports: Ports, job_id: str) -> None:
        ports.log.mark_watched(job_id, expires_at=EXPIRES_AT)
        assert ports.log.read(job_id, after=0, consistent=True) == []
        assert ports.log.tail(job_id) == LogTail()
        ports.log.append(job_id, batch(1, "a"))
        ports.log.mark_watched(job_id, expires_at=EXPIRES_AT)
        assert [entry.seq for entry in ports.log.read(job_id, after=0)] == [1]
        assert ports.log.tail(job_id).seq == 1
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        ports.log.erase(job_id, expires_at=EXPIRES_AT)
        assert ports.log.tail(job_id) == LogTail(1, 1, FENCE, terminal=True, watched=1)

    def test_a_repeat_of_the_append_that_has_found_it_learns_the_same(self, ports: Ports, job_id: str) -> None:
        ports.log.mark_watched(job_id, expires_at=EXPIRES_AT)
        for _ in range(2):
            assert ports.log.append(job_id, batch(1, "once")) == 1
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, batch(1, "theirs", fence=NEXT))

    def test_of_twenty_marks_and_appends_at_once_each_mark_is_found_by_the_append_after_it(
        self, ports: Ports, job_id: str
    ) -> None:
        def act(number: int) -> int:
            if number % 2:
                return ports.log.mark_watched(job_id, expires_at=EXPIRES_AT) + 1
            fill(ports, job_id, 1, fence=FENCE)
            return 0

        marked = {first for first in at_once(act) if first}
        end = ports.log.tail(job_id)
        fill(ports, job_id, 1)
        last = ports.log.tail(job_id)
        assert last.watched == max(marked)
        assert (last.watched == last.seq) is (end.seq + 1 in marked)

    def test_a_mark_expires_no_sooner_than_the_one_before(self, server: AwsServer, job_id: str) -> None:
        log = adapters(server).log
        for expires_at, stored in ((100, 100), (300, 300), (200, 300)):
            log.mark_watched(job_id, expires_at=expires_at)
            assert items_of(server, job_id)["EVT#0000000001"]["expiresAt"] == {"N": str(stored)}

    def test_a_batch_between_the_two_requests_of_a_mark_moves_it(
        self, server: AwsServer, job_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = adapters(server).log
        tail = log.tail

        def append_behind(job: str) -> LogTail:
            end = tail(job)
            if end.seq < 3:
                log.append(job, batch(end.seq + 1, "x"))
            return end

        monkeypatch.setattr(log, "tail", append_behind)
        assert log.mark_watched(job_id, expires_at=EXPIRES_AT) == 3
        assert log.append(job_id, batch(4, "y")) == 4


class TestReading:
    def test_an_unknown_log_is_empty(self, ports: Ports, job_id: str) -> None:
        assert ports.log.read(job_id, after=0) == []
        assert ports.log.tail(job_id) == LogTail()
        assert ports.log.snapshot(job_id) is None

    @pytest.mark.parametrize("after", [*range(10), 500, 9_999_999_999])
    def test_a_read_starts_after_any_sequence_number_even_inside_a_batch(
        self, ports: Ports, job_id: str, after: int
    ) -> None:
        for first in (1, 5):
            ports.log.append(job_id, batch(first, *(f"{seq}" for seq in range(first, first + 4))))
        found = ports.log.read(job_id, after=after)
        assert [entry.seq for entry in found] == list(range(after + 1, 9))

    def test_the_tail_has_the_last_sequence_number_and_fence(self, ports: Ports, job_id: str) -> None:
        ports.log.append(job_id, batch(1, "a", "b", "c"))
        assert ports.log.tail(job_id) == LogTail(seq=3, log_bytes=1, fence=FENCE, terminal=False)
        ports.log.append(job_id, Batch(4, (Progress(progress=100), Cancelled()), NEXT, NOON, 9, expires_at=EXPIRES_AT))
        assert ports.log.tail(job_id) == LogTail(seq=5, log_bytes=9, fence=NEXT, terminal=True)

    def test_the_progress_is_the_newest_one_that_the_log_names(self, ports: Ports, job_id: str) -> None:
        flat, silent, compacted = new_job_id(1), new_job_id(2), new_job_id(3)
        reset = StoredReset(progress=20, reason="RESUMED", message="again", attempt=1, retry_count=0)
        for named in (Progress(progress=10), Progress(progress=55.1), reset):
            claim(ports.log, job_id, FENCE, (Delta(text="x"), named), at=ports.clock, expires_at=EXPIRES_AT)
        for each in (flat, compacted):
            claim(ports.log, each, FENCE, (Progress(progress=40),), at=ports.clock, expires_at=EXPIRES_AT)
        fill(ports, flat, 35)
        fill(ports, compacted, 70)
        compact(ports.log, compacted, 0, expires_at=EXPIRES_AT)
        fill(ports, silent, 2)
        ports.log.mark_watched(job_id, expires_at=EXPIRES_AT)
        asked = [job_id, flat, silent, compacted]
        assert ports.log.progress_of(asked) == {job_id: 20, flat: 40, compacted: 40}

    def test_logs_of_different_jobs_do_not_mix(self, ports: Ports, job_id: str) -> None:
        other = new_job_id(1)
        ports.log.append(job_id, batch(1, "mine"))
        ports.log.append(other, batch(1, "theirs"))
        assert [entry.event for entry in ports.log.read(job_id, after=0)] == [Delta(text="mine")]

    def test_a_log_larger_than_one_response_is_read_completely(self, ports: Ports, job_id: str) -> None:
        for seq in range(1, 15):
            ports.log.append(job_id, batch(seq, "x" * 100_000))
        assert [entry.seq for entry in ports.log.read(job_id, after=0)] == list(range(1, 15))
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        assert [entry.seq for entry in ports.log.read(job_id, after=0)] == [14]


class TestCompacting:
    def test_a_compaction_removes_the_events_of_covered_batches_except_the_newest(
        self, ports: Ports, job_id: str
    ) -> None:
        fill(ports, job_id, 5)
        fill(ports, job_id, 5, fence=NEXT)
        ports.log.compact(job_id, LogSnapshot(10, "x" * 10, None, 0), expires_at=EXPIRES_AT)
        assert [entry.seq for entry in ports.log.read(job_id, after=0)] == [10]
        assert ports.log.tail(job_id).seq == 10

    def test_a_compaction_frees_no_sequence_number(self, ports: Ports, job_id: str) -> None:
        fill(ports, job_id, 5)
        ports.log.compact(job_id, LogSnapshot(3, "xxx", None, 0), expires_at=EXPIRES_AT)
        fill(ports, job_id, 5)
        ports.log.compact(job_id, LogSnapshot(9, "x" * 9, None, 0), expires_at=EXPIRES_AT)
        for seq in range(1, 11):
            with pytest.raises(SequenceTaken):
                ports.log.append(job_id, batch(seq, "late", fence=NEXT))
        assert [entry.seq for entry in ports.log.read(job_id, after=0)] == [10]

    def test_an_append_succeeds_after_a_snapshot_covered_every_event(self, ports: Ports, job_id: str) -> None:
        fill(ports, job_id, 3)
        ports.log.compact(job_id, LogSnapshot(3, "xxx", None, 0), expires_at=EXPIRES_AT)
        fill(ports, job_id, 1)
        assert ports.log.tail(job_id).seq == 4

    def test_an_empty_log_can_be_compacted(self, ports: Ports, job_id: str) -> None:
        ports.log.compact(job_id, LogSnapshot(0, "", None, 0), expires_at=EXPIRES_AT)
        assert ports.log.tail(job_id) == LogTail()

    def test_a_slow_writer_cannot_append_at_a_sequence_number_that_was_compacted(
        self, ports: Ports, job_id: str
    ) -> None:
        fill(ports, job_id, 2)
        fill(ports, job_id, 30, fence=NEXT)
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        fill(ports, job_id, 30, fence=NEXT)
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, batch(3, "late"))

    def test_the_log_keeps_the_newest_snapshot(self, ports: Ports, job_id: str) -> None:
        fill(ports, job_id, 9)
        newer, older = LogSnapshot(8, "x" * 8, "draft", 12.5, 800), LogSnapshot(4, "xxxx", None, 0, 400)
        ports.log.compact(job_id, newer, expires_at=EXPIRES_AT)
        ports.log.compact(job_id, older, expires_at=EXPIRES_AT)
        assert ports.log.snapshot(job_id) == newer

    def test_repeated_compactions_lose_no_character(self, ports: Ports, job_id: str) -> None:
        text = ""
        for number in range(6):
            fill(ports, job_id, 4, text=f"{number}é ")
            text += f"{number}é " * 4
            compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        reader, transcript = LogReader(ports.log, job_id), Transcript()
        for frame in reader.poll():
            transcript.apply(frame.id, frame.event)
        assert (transcript.seq, transcript.text) == (24, text)

    def test_the_log_keeps_a_snapshot_that_is_too_large_for_an_item(self, ports: Ports, job_id: str) -> None:
        fill(ports, job_id, 3)
        large = LogSnapshot(2, "é" * 300_000, "draft", 50, 600_000)
        ports.log.compact(job_id, large, expires_at=EXPIRES_AT)
        assert ports.log.snapshot(job_id) == large

    @pytest.mark.parametrize("text", ["the draft and more", "a repair", "x" * 100_000])
    @pytest.mark.parametrize("checkpoint", ["", "the draft", "é" * 50_000, "é" * 300_000])
    def test_a_snapshot_keeps_the_text_of_the_checkpoint(
        self, ports: Ports, job_id: str, text: str, checkpoint: str
    ) -> None:
        fill(ports, job_id, 3)
        item = Item(stage="draft", key="large", data={"text": "x" * 99_000}, text_length=0)
        subtask = Subtask(key="large", title="x" * 99_000, status="running")
        began = HistoryEntry(event_id=1, at=NOON, type="stage", stage="draft", attempt=1)
        snapshot = LogSnapshot(2, text, "draft", 50, 600_000, (item,), (subtask,), checkpoint, (began,), True)
        ports.log.compact(job_id, snapshot, expires_at=EXPIRES_AT)
        stored = ports.log.snapshot(job_id)
        assert stored is not None
        assert stored == snapshot
        assert (stored.history, stored.history_is_whole) == ((began,), True)


class TestRenewing:
    def test_a_renewal_keeps_all_events_but_the_newest_for_longer(self, ports: Ports, job_id: str) -> None:
        fill(ports, job_id, 3)
        renew(ports.log, job_id, expires_at=EXPIRES_AT + 5000)
        assert [entry.seq for entry in ports.log.read(job_id, after=0)] == [1, 2, 3]
        assert ports.log.snapshot(job_id) == LogSnapshot(2, "xx", None, 0, 3)

    def test_a_renewal_replaces_no_newer_snapshot(self, ports: Ports, job_id: str) -> None:
        fill(ports, job_id, 5)
        newest = compact(ports.log, job_id, 5, expires_at=EXPIRES_AT)
        ports.log.renew(job_id, LogSnapshot(2, "xx", None, 0, 2), expires_at=EXPIRES_AT + 5000)
        assert ports.log.snapshot(job_id) == newest

    def test_a_renewal_of_a_compacted_log_lets_the_same_snapshot_expire_later(
        self, server: AwsServer, job_id: str
    ) -> None:
        ports = adapters(server)
        fill(ports, job_id, 3)
        compact(ports.log, job_id, 3, expires_at=EXPIRES_AT)
        renew(ports.log, job_id, expires_at=EXPIRES_AT + 5000)
        assert int(items_of(server, job_id)["SNAP"]["expiresAt"]["N"]) == EXPIRES_AT + 5000 + 900


class TestErasing:
    def ended(self, ports: Ports, job_id: str) -> None:
        fill(ports, job_id, 6, text="secret")
        claim(ports.log, job_id, NEXT, (Cancelled(stage="draft"),), at=ports.clock, expires_at=EXPIRES_AT)

    def test_an_erased_log_says_only_that_it_has_ended(self, ports: Ports, job_id: str) -> None:
        self.ended(ports, job_id)
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        for _ in range(2):
            ports.log.erase(job_id, expires_at=EXPIRES_AT)
            assert [entry.event for entry in ports.log.read(job_id, after=0)] == [Cancelled()]
            assert ports.log.tail(job_id).terminal
            snapshot = ports.log.snapshot(job_id)
            assert snapshot is not None
            assert (snapshot.seq, snapshot.text) == (6, "")

    def test_no_attempt_can_append_to_an_erased_log_or_compact_it(self, ports: Ports, job_id: str) -> None:
        self.ended(ports, job_id)
        ports.log.erase(job_id, expires_at=EXPIRES_AT)
        for seq in range(1, 8):
            with pytest.raises(SequenceTaken):
                ports.log.append(job_id, batch(seq, "late", fence=Fence(1, 0, 2, "cccccccc")))
        ports.log.compact(job_id, LogSnapshot(6, "secret" * 6, None, 0), expires_at=EXPIRES_AT)
        snapshot = ports.log.snapshot(job_id)
        assert snapshot is not None
        assert snapshot.text == ""

    def test_a_log_without_events_can_be_erased(self, ports: Ports, job_id: str) -> None:
        ports.log.erase(job_id, expires_at=EXPIRES_AT)
        assert ports.log.tail(job_id) == LogTail()

    def test_nothing_of_an_erased_log_is_in_the_table_or_the_bucket(self, server: AwsServer, job_id: str) -> None:
        ports = adapters(server)
        self.ended(ports, job_id)
        large = LogSnapshot(3, "secret" * 50_000, None, 0)
        ports.log.compact(job_id, large, expires_at=EXPIRES_AT)
        ports.log.erase(job_id, expires_at=int(NOON.timestamp()))
        items = items_of(server, job_id)
        assert "secret" not in str(items)
        assert server.s3.list_objects_v2(Bucket=server.bucket, Prefix=f"jobs/{job_id}/")["KeyCount"] == 0
        newest = [items[key] for key in ("EVT#0000000004", "EVT#0000000007", "SNAP")]
        assert {int(item["expiresAt"]["N"]) for item in newest} == {int(NOON.timestamp()) + 900}


class TestInTheTable:
    def test_an_item_that_was_made_by_hand_is_read_and_continued(self, server: AwsServer, job_id: str) -> None:
        ports = adapters(server)
        events = {"events": {"S": dump_events((Delta(text="by hand"),))}, "seq": {"N": "1"}}
        key = {"PK": {"S": f"JOB#{job_id}"}, "SK": {"S": "EVT#0000000001"}}
        server.dynamodb.put_item(TableName=server.table, Item={**key, **events})
        assert ports.log.tail(job_id).seq == 1
        fill(ports, job_id, 1)
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, batch(1, "late"))
        assert [entry.event for entry in ports.log.read(job_id, after=0)] == [Delta(text="by hand"), Delta(text="x")]

    def test_the_item_of_a_large_snapshot_has_the_key_of_an_object(self, server: AwsServer, job_id: str) -> None:
        ports = adapters(server)
        fill(ports, job_id, 3)
        ports.log.compact(job_id, LogSnapshot(2, "x" * 200_000, None, 0), expires_at=EXPIRES_AT)
        item = items_of(server, job_id)["SNAP"]
        assert item["text"] == {"S": f"s3:jobs/{job_id}/snapshot-2"}

    def test_a_snapshot_of_an_earlier_version_has_no_text_of_a_checkpoint(self, server: AwsServer, job_id: str) -> None:
        ports = adapters(server)
        fill(ports, job_id, 3)
        ports.log.compact(job_id, LogSnapshot(2, "one two", "draft", 50, checkpoint_text="one"), expires_at=EXPIRES_AT)
        item = items_of(server, job_id)["SNAP"]
        del item["checkpointLength"]
        server.dynamodb.put_item(TableName=server.table, Item=item)
        assert ports.log.snapshot(job_id) == LogSnapshot(2, "one two", "draft", 50)

    def test_a_checkpoint_that_begins_the_text_is_not_stored_twice(self, server: AwsServer, job_id: str) -> None:
        ports = adapters(server)
        fill(ports, job_id, 3)
        ports.log.compact(job_id, LogSnapshot(2, "one two", "draft", 50, checkpoint_text="one"), expires_at=EXPIRES_AT)
        item = items_of(server, job_id)["SNAP"]
        assert item["checkpointLength"] == {"N": "3"}
        assert "checkpointText" not in item

    def test_no_item_of_a_log_expires_before_its_job_or_long_after_it(self, server: AwsServer, job_id: str) -> None:
        ports = adapters(server)
        fill(ports, job_id, 3)
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        items = items_of(server, job_id)
        assert set(items) == {"EVT#0000000001", "EVT#0000000002", "EVT#0000000003", "SNAP"}
        for item in items.values():
            assert int(item["expiresAt"]["N"]) == EXPIRES_AT + 900
