"""Announce to the channel every event that is appended to a job's log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.channel.announcer import Announcements
from shared.channel.topics import Topic
from shared.log.event_log import Batch, EventLog, LogEntry, LogSnapshot, LogTail
from shared.log.events import ApplicationEvent, Complete, OpaqueEvent, StoredEvent, StoredReset, StreamEvent


class AnnouncingEventLog:
    """An EventLog that tells the announcer of each append to a watched log; the port describes the methods."""

    def __init__(self, log: EventLog, announcer: Announcements) -> None:
        self._log = log
        self._announcer = announcer

    def append(self, job_id: str, batch: Batch) -> int:
        watched = self._log.append(job_id, batch)
        if watched:
            events = [_as_sent(event) for event in batch.events]
            self._announcer.notice(Topic.of_job(job_id), batch.first, events, watched=watched)
        return watched

    def mark_watched(self, job_id: str, *, expires_at: int) -> int:
        return self._log.mark_watched(job_id, expires_at=expires_at)

    def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
        return self._log.read(job_id, after=after, consistent=consistent)

    def tail(self, job_id: str) -> LogTail:
        return self._log.tail(job_id)

    def progress_of(self, job_ids: Sequence[str]) -> Mapping[str, float]:
        return self._log.progress_of(job_ids)

    def snapshot(self, job_id: str) -> LogSnapshot | None:
        return self._log.snapshot(job_id)

    def compact(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        self._log.compact(job_id, snapshot, expires_at=expires_at)

    def renew(self, job_id: str, snapshot: LogSnapshot, *, expires_at: int) -> None:
        self._log.renew(job_id, snapshot, expires_at=expires_at)

    def erase(self, job_id: str, *, expires_at: int) -> None:
        self._log.erase(job_id, expires_at=expires_at)

    def purge(self, job_id: str) -> None:
        self._log.purge(job_id)


def _as_sent(event: StoredEvent) -> StreamEvent | None:
    """Return the event as every reader of the log gets it.

    Return None if watchers are sent more than is stored: the text of a reset, the result of `complete`.
    """
    if isinstance(event, StoredReset | Complete):
        return None
    if isinstance(event, ApplicationEvent):
        return OpaqueEvent.model_validate_json(event.model_dump_json(exclude_none=True))
    return event
