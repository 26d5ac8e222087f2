"""Store event logs in DynamoDB: one item per batch, `JOB#<id> / EVT#<first seq>`, and one snapshot item per log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pydantic import TypeAdapter

from shared.log.event_log import MAX_BATCH, Batch, LogEntry, LogSnapshot, LogTail, SequenceTaken, end_shown_by
from shared.log.events import (
    Cancelled,
    Item,
    Progress,
    StoredReset,
    Subtask,
    dump_events,
    parse_events,
)
from shared.log.fence import Fence
from shared.log.history import HistoryEntry
from shared.observability import metering
from shared.observability.metering import Count
from shared.schema import Schema, adapter_of
from shared.storage import keys
from shared.storage.attributes import from_item, to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults
from shared.storage.expiry import stored_until
from shared.storage.items import query_items, query_pages, read_item, remove_items
from shared.storage.large_texts import INLINE, LargeTexts
from shared.storage.objects import at_once

EMPTY = "[]"
"""The events of a batch whose sequence number is still taken, although a snapshot has replaced its events."""

ITEMS: TypeAdapter[tuple[Item, ...]] = adapter_of(tuple[Item, ...])
"""Read and write the items of a snapshot."""

SUBTASKS: TypeAdapter[tuple[Subtask, ...]] = adapter_of(tuple[Subtask, ...])
"""Read and write the subtasks of a snapshot."""


HISTORY: TypeAdapter[tuple[HistoryEntry, ...]] = adapter_of(tuple[HistoryEntry, ...])
"""Read and write the history of a snapshot."""

PROGRESS_BATCHES = 30
"""How many of the newest batches a request for a log's progress reads."""


class StoredBatch(Schema):
    """The DynamoDB item of one batch; `at` is in Unix milliseconds, `events` is a JSON list, EMPTY after compaction.

    An item that was made by hand needs only `seq` and `events`. Its fence is below that of every attempt.
    """

    seq: int
    events: str
    fence: str = str(Fence.of_resumption(1))
    at: int = 0
    log_bytes: int = 0
    cursor: str | None = None
    writer: str | None = None
    watched: int = 0
    expires_at: int = 0


class StoredSnapshot(Schema):
    """The DynamoDB item of a snapshot; `text` and `items`, a JSON list, are stored as LargeTexts returns them.

    The checkpoint's text is stored as the number of characters with which it begins the text, or else as a whole.
    """

    seq: int
    text: str
    items: str | None = None
    subtasks: str | None = None
    checkpoint_length: int = 0
    checkpoint_text: str | None = None
    history: str | None = None
    history_is_whole: bool = False
    stage: str | None = None
    progress: float
    log_bytes: int
    expires_at: int


class DynamoEventLog:
    """The EventLog on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str, large_texts: LargeTexts) -> None:
        self._table = table
        self._large_texts = large_texts

    def append(self, job_id: str, batch: Batch) -> int:
        stored = StoredBatch(
            seq=batch.first,
            events=dump_events(batch.events),
            fence=str(batch.fence),
            at=int(batch.at.timestamp() * 1000),
            log_bytes=batch.log_bytes,
            cursor=batch.cursor,
            writer=batch.writer,
            watched=batch.watched,
            expires_at=stored_until(batch.expires_at),
        )
        metering.count(Count.STORED_BYTES, len(stored.events.encode()))
        item = to_item({**_key(job_id, keys.event(batch.first)), **stored.model_dump()})
        try:
            self._put(item, "attribute_not_exists(PK)")
        except _ItemExists as exists:
            if not _is_mark(exists.item):
                return _watched_if_repeated(exists, item)
            item["watched"] = {"N": str(batch.first)}
            try:
                self._put(item, _NO_BATCH)
            except _ItemExists as taken:
                return _watched_if_repeated(taken, item)
            return batch.first
        return batch.watched

    def mark_watched(self, job_id: str, *, expires_at: int) -> int:
        while True:
            tail = self.tail(job_id)
            mark = {**_key(job_id, keys.event(tail.seq + 1)), "expiresAt": expires_at}
            try:
                # A later mark expires no sooner than the one that it replaces.
                self._put(
                    to_item(mark), f"{_NO_BATCH} AND (attribute_not_exists(PK) OR expiresAt < :expiry)", expires_at
                )
            except _ItemExists as exists:
                if not _is_mark(exists.item):
                    continue  # a batch was appended between the two requests
            return tail.seq

    def _put(self, item: Mapping[str, Any], condition: str, expiry: int | None = None) -> None:
        """Store the item if the condition holds. Raises _ItemExists with the stored item if it does not."""
        values: dict[str, Any] = (
            {} if expiry is None else {"ExpressionAttributeValues": {":expiry": {"N": str(expiry)}}}
        )
        with refused_condition(_ItemExists):
            dynamodb().put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **values,
            )

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        condition, values = range_after(job_id, after)
        return entries_after(query_items(self._table, condition, values, ConsistentRead=consistent), after)

    def tail(self, job_id: str) -> LogTail:
        newest = next(self._query(job_id, keys.event(0), consistent=True, newest_first=True), None)
        if newest is None:
            return LogTail()
        stored = _batch(newest)
        return replace(end_shown_by(_entries(newest)), cursor=stored.cursor, watched=stored.watched)

    def progress_of(self, job_ids: Sequence[str]) -> Mapping[str, float]:
        found = zip(job_ids, at_once(self._progress, job_ids), strict=True)
        return {job_id: progress for job_id, progress in found if progress is not None}

    def _progress(self, job_id: str) -> float | None:
        # Nearly every batch of text has a progress. A stage that reports none writes many batches without.
        values = {":pk": keys.job_partition(job_id), ":begin": keys.event(0), ":end": keys.event(9_999_999_999)}
        pages = query_pages(
            self._table,
            "PK = :pk AND SK BETWEEN :begin AND :end",
            values,
            ScanIndexForward=False,
            Limit=PROGRESS_BATCHES,
        )
        for page in islice(pages, 2):
            for item in page:
                for entry in [] if _is_mark(item) else reversed(_entries(item)):
                    if isinstance(entry.event, (Progress, StoredReset)):
                        return entry.event.progress
        # A snapshot has replaced the older events. Functions that list jobs may query the table, and no more.
        snapshots = query_items(
            self._table, "PK = :pk AND SK = :snapshot", {":pk": values[":pk"], ":snapshot": keys.SNAPSHOT}
        )
        return next((StoredSnapshot.model_validate(_own(item)).progress for item in snapshots), None)

    def snapshot(self, job_id: str) -> LogSnapshot | None:
        item = read_item(self._table, _key(job_id, keys.SNAPSHOT))
        if item is None:
            return None
        stored = StoredSnapshot.model_validate(_own(item))
        text = self._large_texts.load(stored.text)
        items = ITEMS.validate_json(self._large_texts.load(stored.items)) if stored.items else ()
        subtasks = SUBTASKS.validate_json(self._large_texts.load(stored.subtasks)) if stored.subtasks else ()
        checkpoint_text = text[: stored.checkpoint_length]
        if stored.checkpoint_text is not None:
            checkpoint_text = self._large_texts.load(stored.checkpoint_text)
        history = HISTORY.validate_json(self._large_texts.load(stored.history)) if stored.history else ()
        return LogSnapshot(
            stored.seq,
            text,
            stored.stage,
            stored.progress,
            stored.log_bytes,
            items,
            subtasks,
            checkpoint_text,
            history,
            stored.history_is_whole,
        )

    def compact(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        try:
            before = self._put_snapshot(job_id, snapshot, expires_at, "seq < :seq")
        except _ItemExists:
            return
        self._empty_covered(job_id, before, snapshot.seq)

    def renew(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        with contextlib.suppress(_ItemExists):
            self._put_snapshot(job_id, snapshot, expires_at, "seq <= :seq")

    def _put_snapshot(self, job_id: str, snapshot: LogSnapshot, expires_at: int, replaces: str) -> int:
        """Store the snapshot, and return the sequence number of the one before, or 0.

        Raises _ItemExists if a snapshot is stored that does not meet the condition `replaces`.
        """
        items = ITEMS.dump_json(snapshot.items).decode()
        stored = StoredSnapshot(
            seq=snapshot.seq,
            text=self._large_texts.store(job_id, f"snapshot-{snapshot.seq}", snapshot.text),
            items=self._large_texts.store(job_id, f"snapshot-{snapshot.seq}-items", items) if snapshot.items else None,
            subtasks=self._stored_subtasks(job_id, snapshot),
            **self._stored_checkpoint(job_id, snapshot),
            history=self._stored_history(job_id, snapshot),
            history_is_whole=snapshot.history_is_whole,
            stage=snapshot.stage,
            progress=snapshot.progress,
            log_bytes=snapshot.log_bytes,
            expires_at=stored_until(expires_at),
        )
        with refused_condition(_ItemExists):
            replaced = dynamodb().put_item(
                TableName=self._table,
                Item=to_item({**_key(job_id, keys.SNAPSHOT), **stored.model_dump()}),
                ConditionExpression=f"attribute_not_exists(PK) OR {replaces}",
                ExpressionAttributeValues={":seq": {"N": str(snapshot.seq)}},
                ReturnValues="ALL_OLD",
            )
        before = replaced.get("Attributes")
        return int(before["seq"]["N"]) if before else 0

    def _stored_subtasks(self, job_id: str, snapshot: LogSnapshot) -> str | None:
        if not snapshot.subtasks:
            return None
        text = SUBTASKS.dump_json(snapshot.subtasks).decode()
        return self._large_texts.store(job_id, f"snapshot-{snapshot.seq}-subtasks", text)

    def _stored_history(self, job_id: str, snapshot: LogSnapshot) -> str | None:
        if not snapshot.history:
            return None
        text = HISTORY.dump_json(snapshot.history, exclude_none=True).decode()
        return self._large_texts.store(job_id, f"snapshot-{snapshot.seq}-history", text)

    def _stored_checkpoint(self, job_id: str, snapshot: LogSnapshot) -> dict[str, Any]:
        text = snapshot.checkpoint_text
        if snapshot.text.startswith(text):
            return {"checkpoint_length": len(text)}
        return {"checkpoint_text": self._large_texts.store(job_id, f"snapshot-{snapshot.seq}-checkpoint", text)}

    def _empty_covered(self, job_id: str, after: int, up_to: int) -> None:
        """Remove the events of the batches that the snapshot covers, except the newest batch.

        The items stay until they expire, so that their sequence numbers stay taken. `after` is the sequence number of
        the snapshot before, which covers the batches before that.
        """
        begin = keys.event(max(1, after + 2 - MAX_BATCH))
        older = list(self._query(job_id, begin, consistent=True))[:-1]
        self._replace(
            {**item, "events": {"S": EMPTY}}
            for item in older
            if item["events"]["S"] != EMPTY and _entries(item)[-1].seq <= up_to
        )

    def erase(self, job_id: str, *, expires_at: int) -> None:
        items = list(self._query(job_id, keys.event(0), consistent=True))
        if items:
            self._erase_items(job_id, items[:-1], items[-1], stored_until(expires_at))
        self._large_texts.delete_all(job_id)

    def purge(self, job_id: str) -> None:
        self._large_texts.delete_all(job_id)
        first, last = keys.event(0), keys.event(9_999_999_999)
        found = query_items(
            self._table,
            "PK = :pk AND SK BETWEEN :begin AND :end",
            {":pk": keys.job_partition(job_id), ":begin": first, ":end": last},
            ConsistentRead=True,
            ProjectionExpression="PK, SK",
        )
        remove_items(self._table, [to_item(_key(job_id, keys.SNAPSHOT)), *found])

    def _erase_items(
        self, job_id: str, older: Sequence[Mapping[str, Any]], newest: Mapping[str, Any], until: int
    ) -> None:
        expiry = {"expiresAt": {"N": str(until)}}
        self._replace({**item, **expiry, "events": {"S": EMPTY}} for item in older if item["events"]["S"] != EMPTY)
        self._replace([{**newest, **expiry, "events": {"S": dump_events((Cancelled(),))}}])
        # An attempt may be compacting the log at this moment. Its snapshot covers no more than this one, so the store
        # refuses it.
        nothing = StoredSnapshot(seq=_batch(newest).seq - 1, text=INLINE, progress=0, log_bytes=0, expires_at=until)
        self._replace([to_item({**_key(job_id, keys.SNAPSHOT), **nothing.model_dump()})])

    def _replace(self, items: Iterable[Mapping[str, Any]]) -> None:
        writes = [{"PutRequest": {"Item": item}} for item in items]
        for begin in range(0, len(writes), 25):
            requests: Any = {self._table: writes[begin : begin + 25]}
            while requests:
                with storage_faults():
                    requests = dynamodb().batch_write_item(RequestItems=requests).get("UnprocessedItems")

    def _query(
        self, job_id: str, begin: str, *, consistent: bool, newest_first: bool = False
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the items of the batches in this range, without marks."""
        limit: dict[str, Any] = {"Limit": 1} if newest_first else {}
        found = query_items(
            self._table,
            *_range_from(job_id, begin),
            ConsistentRead=consistent,
            ScanIndexForward=not newest_first,
            **limit,
        )
        return (item for item in found if not _is_mark(item))


def range_after(job_id: str, after: int) -> tuple[str, dict[str, str]]:
    """Return the key condition of the batches that may have events after number `after`, and its values."""
    # The batch that contains the next event may begin up to MAX_BATCH - 1 events before it.
    return _range_from(job_id, keys.event(max(1, after + 2 - MAX_BATCH)))


def _range_from(job_id: str, begin: str) -> tuple[str, dict[str, str]]:
    """Return the key condition of a log's batches from the sort key `begin` on, and its values."""
    values = {":pk": keys.job_partition(job_id), ":begin": begin, ":end": keys.event(9_999_999_999)}
    return "PK = :pk AND SK BETWEEN :begin AND :end", values


def entries_after(items: Iterable[Mapping[str, Any]], after: int) -> list[LogEntry]:
    """Return the entries of stored batches after number `after`, without marks."""
    return [entry for item in items if not _is_mark(item) for entry in _entries(item) if entry.seq > after]


class _ItemExists(Exception):
    """The condition of a write did not hold; `item` is the stored item."""

    def __init__(self, item: Mapping[str, Any] | None) -> None:
        super().__init__("the item exists")
        self.item = item


_NO_BATCH = "attribute_not_exists(seq)"
"""The condition that there is no batch, but perhaps a mark."""


def _is_mark(item: Mapping[str, Any] | None) -> bool:
    return item is not None and "seq" not in item


def _watched_if_repeated(exists: _ItemExists, item: Mapping[str, Any]) -> int:
    """Return `watched` of the stored batch if it is this one: botocore retries a write whose response was lost.

    Raises SequenceTaken if the stored item has another fence or writer, or other events.
    """
    stored = exists.item or {}
    same = all(stored.get(name) == item.get(name) for name in ("fence", "writer"))
    if same and stored["events"]["S"] in {item["events"]["S"], EMPTY}:
        return int(stored.get("watched", {"N": "0"})["N"])
    raise SequenceTaken from exists


def _key(job_id: str, sort: str) -> dict[str, str]:
    return {"PK": keys.job_partition(job_id), "SK": sort}


def _own(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in from_item(item).items() if name not in {"PK", "SK"}}


def _batch(item: Mapping[str, Any]) -> StoredBatch:
    return StoredBatch.model_validate(_own(item))


def _entries(item: Mapping[str, Any]) -> list[LogEntry]:
    stored = _batch(item)
    at = _time(stored.at)
    events = parse_events(stored.events)
    return [
        LogEntry(stored.seq + index, stored.seq, at, event, stored.fence, stored.log_bytes)
        for index, event in enumerate(events)
    ]


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
