"""Writers that share a fence append in turn: in memory and on DynamoDB, no event is lost, doubled or overwritten."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.errors import AttemptSuperseded, JobEnded
from shared.jobs.ids import new_job_id
from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.event_log import Batch, LogBounds, LogSnapshot, SequenceTaken
from shared.log.events import Cancelled, Delta, Item, Progress, Snapshot, StoredEvent
from shared.log.fence import Fence
from shared.log.reader import LogReader, read_transcript
from shared.log.shared_writer import EventsOf, SharedWriter
from shared.log.transcript import Transcript
from tests.fakes.clock import EXPIRES_AT, NOON
from tests.storage.at_once import CALLERS, at_once
from tests.storage.ports import AwsServer, Ports, adapters

BEFORE = Fence(1, 0, 0, "aaaaaaaa")
SHARED = Fence.of_parts(generation=1, stage=1)
AFTER = Fence(1, 2, 0, "bbbbbbbb")
UNBOUNDED = LogBounds(max_events=10_000, max_bytes=10_000_000)


@pytest.fixture
def job_id() -> str:
    return new_job_id(0)


def allowed() -> None:
    """Check the job: the parts may go on."""


def test_a_part_whose_job_has_expired_appends_nothing(ports: Ports, job_id: str) -> None:
    late = writer(ports, job_id)
    ports.clock.advance(7200)
    with pytest.raises(JobEnded, match="the job has expired"):
        late.append(lambda *_: (an_item("a"),))
    assert ports.log.tail(job_id).seq == 0


def writer(ports: Ports, job_id: str, *, after: int = 0, bounds: LogBounds = UNBOUNDED) -> SharedWriter:
    return SharedWriter(
        ports.log,
        job_id,
        SHARED,
        after=after,
        expires_at=EXPIRES_AT,
        clock=ports.clock,
        bounds=bounds,
        check_job=allowed,
    )


def an_item(key: str, size: int = 1) -> Item:
    return Item(stage="read", key=key, data={"text": "x" * size}, text_length=0)


def once(key: str) -> EventsOf:
    def events(transcript: Transcript, _: bool) -> Sequence[StoredEvent]:
        return () if key in transcript.items else (an_item(key),)

    return events


class TestAppending:
    def test_twenty_writers_at_once_leave_every_item_once(self, ports: Ports, job_id: str) -> None:
        claim(ports.log, job_id, BEFORE, (Delta(text="before"),), at=ports.clock, expires_at=EXPIRES_AT)
        at_once(lambda number: writer(ports, job_id, after=1).append(once(f"item-{number % 10}")))
        entries = ports.log.read(job_id, after=0, consistent=True)
        assert [entry.seq for entry in entries] == list(range(1, 12))
        keys = [entry.event.key for entry in entries if isinstance(entry.event, Item)]
        assert sorted(keys) == [f"item-{number}" for number in range(CALLERS // 2)]
        assert ports.log.tail(job_id).log_bytes == len("before") + 10 * len('{"text": "x"}')

    def test_equal_events_of_two_writers_are_two_events(self, ports: Ports, job_id: str) -> None:
        at_once(lambda _: writer(ports, job_id).append(lambda *_: (Progress(progress=1),)))
        assert len(ports.log.read(job_id, after=0, consistent=True)) == CALLERS

    def test_one_of_several_writers_is_told_that_it_is_the_first(self, ports: Ports, job_id: str) -> None:
        claim(ports.log, job_id, BEFORE, (Delta(text="before"),), at=ports.clock, expires_at=EXPIRES_AT)
        at_once(
            lambda _: writer(ports, job_id).append(
                lambda _, is_first: (Progress(progress=1 if is_first else 2), Progress(progress=3))
            )
        )
        found = [entry.event for entry in ports.log.read(job_id, after=1, consistent=True)]
        assert [event for event in found if event == Progress(progress=1)] == [Progress(progress=1)]

    def test_a_repeat_after_a_lost_response_succeeds_for_its_own_writer_only(self, ports: Ports, job_id: str) -> None:
        batch = Batch(1, (an_item("a"),), SHARED, NOON, 1, writer="one", expires_at=EXPIRES_AT)
        ports.log.append(job_id, batch)
        ports.log.append(job_id, batch)
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, Batch(1, (an_item("a"),), SHARED, NOON, 1, writer="two", expires_at=EXPIRES_AT))

    def test_a_later_stage_stops_every_writer(self, ports: Ports, job_id: str) -> None:
        late = writer(ports, job_id)
        late.append(once("a"))
        claim(ports.log, job_id, AFTER, (Delta(text="after"),), at=ports.clock, expires_at=EXPIRES_AT)
        with pytest.raises(AttemptSuperseded):
            late.append(once("b"))

    def test_the_end_of_the_log_stops_every_writer(self, ports: Ports, job_id: str) -> None:
        late = writer(ports, job_id)
        late.append(once("a"))
        claim(ports.log, job_id, Fence(1, 999, 0, "cccccccc"), (Cancelled(),), at=ports.clock, expires_at=EXPIRES_AT)
        with pytest.raises(JobEnded):
            late.append(once("b"))


class TestCompacting:
    def test_a_slow_writer_finds_its_number_taken_although_its_batch_was_compacted(
        self, ports: Ports, job_id: str
    ) -> None:
        fast = writer(ports, job_id)
        for number in range(3):
            fast.append(once(f"early-{number}"))
        seen = ports.log.tail(job_id)  # a slow writer reads the end, and others append
        for number in range(20):
            fast.append(once(f"late-{number:02}"))
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        late = Batch(seen.seq + 1, (an_item("slow"),), SHARED, NOON, 0, writer="slow", expires_at=EXPIRES_AT)
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, late)
        assert "slow" not in read_transcript(ports.log, job_id, consistent=True).items

    def test_readers_get_a_snapshot_instead_of_the_emptied_batches(self, ports: Ports, job_id: str) -> None:
        fast = writer(ports, job_id)
        for number in range(10):
            fast.append(once(f"item-{number}"))
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        assert [entry.seq for entry in ports.log.read(job_id, after=0, consistent=True)] == [10]
        reader = LogReader(ports.log, job_id, after=4)
        first, last = reader.poll()
        assert isinstance(first.event, Snapshot)
        assert (first.id, last.id) == (9, 10)
        assert [item.key for item in first.event.items] == [f"item-{number}" for number in range(9)]

    def test_a_writer_that_was_away_during_a_compaction_sees_every_item(self, ports: Ports, job_id: str) -> None:
        away, fast = writer(ports, job_id), writer(ports, job_id)
        away.append(once("a"))
        for number in range(10):
            fast.append(once(f"item-{number}"))
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        away.append(once("item-3"))
        assert ports.log.tail(job_id).seq == 11
        for _ in range(2):
            away.append(once("b"))
        assert list(away.transcript.items) == ["a", *(f"item-{number}" for number in range(10)), "b"]

    def test_repeated_compactions_keep_every_number_taken(self, ports: Ports, job_id: str) -> None:
        fast = writer(ports, job_id, bounds=LogBounds(max_events=5))
        for number in range(30):
            fast.append(once(f"item-{number:02}"))
        for seq in range(1, 31):
            with pytest.raises(SequenceTaken):
                ports.log.append(
                    job_id, Batch(seq, (an_item("slow"),), SHARED, NOON, 0, writer="slow", expires_at=EXPIRES_AT)
                )
        assert len(ports.log.read(job_id, after=0, consistent=True)) < 10
        assert len(read_transcript(ports.log, job_id, consistent=True).items) == 30

    def test_the_next_stage_compacts_what_the_parts_have_left(self, ports: Ports, job_id: str) -> None:
        fast = writer(ports, job_id)
        for number in range(10):
            fast.append(once(f"item-{number}"))
        claim(ports.log, job_id, AFTER, (Delta(text="after"),), at=ports.clock, expires_at=EXPIRES_AT)
        compact(ports.log, job_id, 0, expires_at=EXPIRES_AT)
        assert [entry.seq for entry in ports.log.read(job_id, after=0, consistent=True)] == [11]
        late = Batch(11, (an_item("slow"),), SHARED, NOON, 0, writer="slow", expires_at=EXPIRES_AT)
        with pytest.raises(SequenceTaken):
            ports.log.append(job_id, late)

    def test_an_append_across_a_bound_of_bytes_compacts(self, ports: Ports, job_id: str) -> None:
        fast = writer(ports, job_id, bounds=LogBounds(max_events=10_000, max_bytes=1000))
        for number in range(5):
            fast.append(lambda *_, key=f"{number}": (an_item(key, 400),))
        snapshot = ports.log.snapshot(job_id)
        assert snapshot is not None
        assert snapshot.seq == 4


class TestInTheTable:
    def test_an_emptied_batch_keeps_its_number_its_fence_and_its_expiry(self, server: AwsServer, job_id: str) -> None:
        ports = adapters(server)
        fast = writer(ports, job_id)
        for number in range(4):
            fast.append(once(f"item-{number}"))
        before = self.batch(server, job_id, 2)
        ports.log.compact(job_id, LogSnapshot(3, "", None, 0, 0), expires_at=EXPIRES_AT)
        assert self.batch(server, job_id, 2) == {**before, "events": {"S": "[]"}}
        assert self.batch(server, job_id, 4)["events"] != {"S": "[]"}

    @staticmethod
    def batch(server: AwsServer, job_id: str, first: int) -> dict[str, object]:
        key = {"PK": {"S": f"JOB#{job_id}"}, "SK": {"S": f"EVT#{first:010}"}}
        return dict(server.dynamodb.get_item(TableName=server.table, Key=key, ConsistentRead=True)["Item"])
