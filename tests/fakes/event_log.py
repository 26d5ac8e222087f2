"""The event log port, in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from shared.log.event_log import Batch, LogEntry, LogSnapshot, LogTail, SequenceTaken
from shared.log.events import TERMINAL, Cancelled, Progress, StoredReset, dump_events, parse_events


class FakeEventLog:
    """Implements EventLog with consistent reads. `appends` holds every stored batch, also those that were compacted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: dict[str, dict[int, Batch]] = {}
        self._emptied: dict[tuple[str, int], Batch] = {}
        self._snapshots: dict[str, LogSnapshot] = {}
        self._snapshots_expire: dict[str, int] = {}
        self._marks: dict[tuple[str, int], int] = {}
        self.appends: list[Batch] = []

    def append(self, job_id: str, batch: Batch) -> int:
        with self._lock:
            stored = self._batches.setdefault(job_id, {})
            existing = stored.get(batch.first)
            emptied = self._emptied.get((job_id, batch.first))
            if emptied is not None:
                if (emptied.fence, emptied.writer) != (batch.fence, batch.writer):
                    raise SequenceTaken
                return emptied.watched
            if existing is not None:
                if not batch.repeats(existing):
                    raise SequenceTaken
                return existing.watched
            # Convert through JSON, so that events which no store could hold fail here too.
            events = parse_events(dump_events(batch.events))
            is_marked = self._marks.pop((job_id, batch.first), None) is not None
            watched = batch.first if is_marked else batch.watched
            stored[batch.first] = replace(batch, events=events, watched=watched)
            self.appends.append(stored[batch.first])
            return watched

    def mark_watched(self, job_id: str, *, expires_at: int) -> int:
        with self._lock:
            batches = self._in_order(job_id)
            last = batches[-1].last if batches else 0
            self._marks[job_id, last + 1] = max(expires_at, self._marks.get((job_id, last + 1), 0))
            return last

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        with self._lock:
            return [
                LogEntry(seq, batch.first, batch.at, event, str(batch.fence), batch.log_bytes)
                for batch in self._in_order(job_id)
                for seq, event in enumerate(batch.events, batch.first)
                if seq > after
            ]

    def tail(self, job_id: str) -> LogTail:
        with self._lock:
            batches = self._in_order(job_id)
            if not batches:
                return LogTail()
            newest = batches[-1]
            terminal = newest.events[-1].type in TERMINAL
            return LogTail(newest.last, newest.log_bytes, newest.fence, terminal, newest.cursor, newest.watched)

    def progress_of(self, job_ids: Sequence[str]) -> Mapping[str, float]:
        found = {}
        for job_id in job_ids:
            with self._lock:
                snapshot = self._snapshots.get(job_id)
                events = [event for batch in self._in_order(job_id) for event in batch.events]
            named = [event.progress for event in events if isinstance(event, Progress | StoredReset)]
            if named or snapshot is not None:
                found[job_id] = named[-1] if named else snapshot.progress  # type: ignore[union-attr]
        return found

    def snapshot(self, job_id: str) -> LogSnapshot | None:
        with self._lock:
            return self._snapshots.get(job_id)

    def compact(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        with self._lock:
            existing = self._snapshots.get(job_id)
            if existing is not None and existing.seq >= snapshot.seq:
                return
            self._put_snapshot(job_id, snapshot, expires_at)
            for batch in self._in_order(job_id)[:-1]:
                if (existing.seq if existing else 0) < batch.last <= snapshot.seq:
                    del self._batches[job_id][batch.first]
                    self._emptied[job_id, batch.first] = batch

    def renew(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        with self._lock:
            existing = self._snapshots.get(job_id)
            if existing is None or existing.seq <= snapshot.seq:
                self._put_snapshot(job_id, snapshot, expires_at)

    def _put_snapshot(self, job_id: str, snapshot: LogSnapshot, expires_at: int) -> None:
        self._snapshots[job_id] = snapshot
        self._snapshots_expire[job_id] = expires_at

    def erase(self, job_id: str, *, expires_at: int) -> None:
        with self._lock:
            batches = self._in_order(job_id)
            if not batches:
                return
            *older, newest = batches
            for batch in older:
                del self._batches[job_id][batch.first]
                self._emptied[job_id, batch.first] = batch
            erased = replace(newest, events=(Cancelled(),), expires_at=expires_at)
            self._batches[job_id][newest.first] = erased
            self._put_snapshot(job_id, LogSnapshot(newest.first - 1, "", None, 0), expires_at)

    def purge(self, job_id: str) -> None:
        with self._lock:
            self._batches.pop(job_id, None)
            self._snapshots.pop(job_id, None)
            self._emptied = {key: batch for key, batch in self._emptied.items() if key[0] != job_id}
            self._marks = {key: mark for key, mark in self._marks.items() if key[0] != job_id}

    def delete_expired(self, now: datetime) -> None:
        """Delete the batches and snapshots whose time is over, as DynamoDB may."""
        with self._lock:
            for stored in self._batches.values():
                for first in [first for first, batch in stored.items() if batch.expires_at <= now.timestamp()]:
                    del stored[first]
            for place in [place for place, at in self._marks.items() if at <= now.timestamp()]:
                del self._marks[place]
            for job_id in [each for each, at in self._snapshots_expire.items() if at <= now.timestamp()]:
                del self._snapshots[job_id], self._snapshots_expire[job_id]

    def forget_first(self, job_id: str) -> None:
        """Delete the first batch, as its expiry does."""
        with self._lock:
            del self._batches[job_id][min(self._batches[job_id])]

    def _in_order(self, job_id: str) -> list[Batch]:
        return [batch for _, batch in sorted(self._batches.get(job_id, {}).items())]
