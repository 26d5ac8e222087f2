"""Hands the records of a stream to a function, as Lambda does: in order, in batches, again after failures."""

from __future__ import annotations

import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.aws.deliveries import Outcome, Record
from local.template.event_sources import StreamSource
from local.template.filter_patterns import matches
from local.template.intrinsics import ACCOUNT, REGION

_LARGEST_BATCH = 5_500_000  # bytes; an event may have 6 MB
_FIRST_PAUSE = 0.05  # seconds before a delivery is tried again; the next pauses are twice as long
_LONGEST_PAUSE = 2.0
SHARD = "shardId-00000000000000000001-local"


@dataclass(slots=True)
class Counts:
    """What has become of the records that passed the filter. `delivered` counts batches."""

    waiting: int = 0
    delivered: int = 0
    given_up: int = 0


class StreamPoller:
    """Delivers the records of one event source: each lane one batch at a time, and an item always in the same lane.

    `deliver` invokes the function, and `give_up` gets the message about records that are given up. A record waits
    `gathering` seconds for others, whatever the source's batching window is: Lambda reads a shard four times a second,
    and tests do not wait for a longer window.
    """

    def __init__(
        self,
        source: StreamSource,
        deliver: Callable[[Sequence[Record]], Outcome],
        give_up: Callable[[Mapping[str, Any]], None],
        *,
        gathering: float = 0.1,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.source = source
        self._deliver = deliver
        self._give_up = give_up
        self._gathering = gathering
        self._clock = clock
        self._pause = pause
        self._changed = threading.Condition()
        self.lanes: list[deque[Record]] = [deque() for _ in range(source.lanes)]
        self.counts = Counts()

    def start(self) -> None:
        """Start one daemon thread for each lane. It sleeps while there is no record."""
        for lane in self.lanes:
            threading.Thread(target=self._run, args=(lane,), name="stream", daemon=True).start()

    def wants(self, keys: Mapping[str, Any]) -> bool:
        """Return whether a record of an item with these keys may pass the filter."""
        patterns = self.source.patterns
        return not patterns or any(matches(each.get("dynamodb", {}).get("Keys", {}), keys) for each in patterns)

    def passes(self, record: Record) -> bool:
        """Return whether the record passes the filter."""
        patterns = self.source.patterns
        return not patterns or any(matches(each, record) for each in patterns)

    def offer(self, record: Record) -> None:
        """Take a record that passes the filter, for the next batch of its lane."""
        item = repr(min(record["dynamodb"]["Keys"].items()))
        with self._changed:
            self.lanes[zlib.crc32(item.encode()) % len(self.lanes)].append(record)
            self.counts.waiting += 1
            self._changed.notify_all()

    # ---- a lane ----------------------------------------------------------------------------------------------------

    def _run(self, lane: deque[Record]) -> None:
        while True:
            batch = self.next_batch(lane)
            self.handle(batch)
            with self._changed:
                self.counts.waiting -= len(batch)

    def next_batch(self, lane: deque[Record]) -> list[Record]:
        """Wait for a record, then for others, and return what is there, at most a batch."""
        with self._changed:
            self._changed.wait_for(lambda: lane)
            whole = len(lane) >= self.source.batch_size
        if not whole:
            self._pause(self._gathering)
        with self._changed:
            batch = [lane.popleft()]
            size = batch[0]["dynamodb"]["SizeBytes"]
            while lane and len(batch) < self.source.batch_size:
                size += lane[0]["dynamodb"]["SizeBytes"]
                if size > _LARGEST_BATCH:
                    break
                batch.append(lane.popleft())
            return batch

    def handle(self, records: Sequence[Record]) -> None:
        """Deliver the records, those that fail again and again, until all are done or given up."""
        todo: list[tuple[Sequence[Record], int]] = [(records, 0)]
        while todo:
            batch, tries = todo.pop()
            batch = self._without_the_old(batch, tries)
            if not batch:
                continue
            outcome = self._deliver(batch)
            if not outcome.ran:
                # Lambda itself could not: it tries on, and counts no try.
                self._pause(_FIRST_PAUSE)
                todo.append((batch, tries))
                continue
            self.counts.delivered += 1
            rest = self._undone(batch, outcome)
            if not rest:
                continue
            if outcome.failed and self.source.bisects and len(batch) > 1:
                middle = len(batch) // 2
                todo += [(batch[middle:], tries), (batch[:middle], tries)]
                continue
            tries = tries + 1 if len(rest) == len(batch) else 1
            if self.source.retries is not None and tries > self.source.retries:
                self._tell(rest, "RetryAttemptsExhausted", tries, outcome)
                continue
            self._pause(min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE))
            todo.append((rest, tries))

    def _undone(self, batch: Sequence[Record], outcome: Outcome) -> Sequence[Record]:
        """Return what has to be delivered again: all from the first record that failed."""
        if outcome.failed:
            return batch
        if not self.source.partial:
            return ()
        reported = outcome.reported()
        if reported is None:
            return batch
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        if not set(reported) <= set(numbers):
            return batch
        return batch[min(map(numbers.index, reported)) :] if reported else ()

    def _without_the_old(self, batch: Sequence[Record], tries: int) -> Sequence[Record]:
        if self.source.longest_age is None:
            return batch
        oldest = self._clock() - self.source.longest_age
        old = [each for each in batch if each["dynamodb"]["ApproximateCreationDateTime"] < oldest]
        if old:
            self._tell(old, "RecordAgeExceeded", tries, None)
        return [each for each in batch if each not in old]

    def _tell(self, records: Sequence[Record], condition: str, tries: int, outcome: Outcome | None) -> None:
        """Send the message about records that are given up, as Lambda writes it."""
        self.counts.given_up += len(records)
        context = {
            "requestId": "" if outcome is None else outcome.request_id,
            "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.source.function}",
            "condition": condition,
            "approximateInvokeCount": tries,
        }
        response = {"statusCode": 200, "executedVersion": "$LATEST"}
        if outcome is not None:
            response["functionError"] = "Unhandled" if outcome.failed else None
        first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
        self._give_up(
            {
                "requestContext": context,
                "responseContext": response,
                "version": "1.0",
                "timestamp": _moment(self._clock()),
                "DDBStreamBatchInfo": {
                    "shardId": SHARD,
                    "startSequenceNumber": first["SequenceNumber"],
                    "endSequenceNumber": last["SequenceNumber"],
                    "approximateArrivalOfFirstRecord": _moment(first["ApproximateCreationDateTime"]),
                    "approximateArrivalOfLastRecord": _moment(last["ApproximateCreationDateTime"]),
                    "batchSize": len(records),
                    "streamArn": records[0]["eventSourceARN"],
                },
            }
        )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
