"""The ports of the archive, in memory."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence

from shared.archive.record import ArchivedHead, ArchivedJob, UnreadableRecord, packed, rank, unpacked, unpacked_head
from shared.archive.retention import ArchiveDays
from shared.clock import Clock
from shared.jobs.ids import ulid_of
from shared.jobs.job import LinkKind
from shared.storage.archive import month_of


class FakeArchiveStore:
    """Implements ArchiveStore with the files that the adapter stores, by owner and job."""

    def __init__(self, *, days: ArchiveDays, clock: Clock) -> None:
        self._days = days
        self._clock = clock
        self._lock = threading.Lock()
        self.files: dict[tuple[str, str], bytes] = {}
        self.places: set[tuple[str, LinkKind, str, str]] = set()
        self.before_put: Callable[[], None] = lambda: None
        self.after_put: Callable[[], None] = lambda: None

    def put(self, record: ArchivedJob) -> None:
        self.before_put()
        job = record.job
        with self._lock:
            if record.retention == "linked":
                self.places |= {(job.owner, kind, each, job.id) for kind, each in job.links.by_kind().items()}
            stored = self._head(job.owner, job.id)
            if stored is None or rank(stored) <= rank(record):
                self.files[job.owner, job.id] = packed(record)
        self.after_put()

    def get(self, owner: str, job_id: str) -> ArchivedJob | None:
        with self._lock:
            file = self.files.get((owner, job_id))
            try:
                record = unpacked(file) if file is not None else None
            except UnreadableRecord:
                return None
            return record if record is not None and self._is_shown(record) else None

    def page(self, owner: str, month: str, *, after: str | None, limit: int) -> Sequence[str]:
        with self._lock:
            found = sorted(each for stored_owner, each in self.files if stored_owner == owner)
            in_month = [each for each in found if month_of(each) == month and (after is None or each > after)]
            return in_month[:limit]

    def heads(self, owner: str, job_ids: Sequence[str]) -> Sequence[ArchivedHead]:
        with self._lock:
            found = [self._head(owner, job_id) for job_id in job_ids]
            return [head for head in found if head is not None and self._is_shown(head)]

    def linked(self, owner: str, kind: LinkKind, entity_id: str, *, after: str | None = None) -> Iterator[str]:
        with self._lock:
            found = sorted((each[3] for each in self.places if each[:3] == (owner, kind, entity_id)), key=ulid_of)
        yield from (each for each in found if after is None or each > after)

    def erase(self, owner: str, job_id: str) -> None:
        with self._lock:
            self.files.pop((owner, job_id), None)
            self.places = {each for each in self.places if (each[0], each[3]) != (owner, job_id)}

    def erase_place(self, owner: str, kind: LinkKind, entity_id: str, job_id: str) -> None:
        with self._lock:
            self.places.discard((owner, kind, entity_id, job_id))

    def every_id(self, owner: str) -> Iterator[str]:
        yield from [job_id for stored_owner, job_id in list(self.files) if stored_owner == owner]

    def erase_places(self, owner: str) -> int:
        with self._lock:
            kept = {each for each in self.places if each[0] != owner}
            count = len(self.places) - len(kept)
            self.places = kept
            return count

    def _head(self, owner: str, job_id: str) -> ArchivedHead | None:
        file = self.files.get((owner, job_id))
        try:
            return unpacked_head(file) if file is not None else None
        except UnreadableRecord:
            return None

    def _is_shown(self, head: ArchivedHead) -> bool:
        return head.retention in self._days.kept and self._clock() < self._days.expires_at(head)


class FakeUsageLedger:
    """Implements UsageLedger; `objects` are the lines by day and name."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], tuple[str, ...]] = {}

    def put(self, day: str, name: str, lines: Sequence[str]) -> None:
        self.objects[day, name] = tuple(lines)


class FakeOwnerKeys:
    """Implements OwnerKeys."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}

    def of(self, owner: str, *, create: bool) -> bytes | None:
        if create and owner not in self.keys:
            self.keys[owner] = secrets.token_bytes(32)
        return self.keys.get(owner)

    def erase(self, owner: str) -> bool:
        return self.keys.pop(owner, None) is not None
