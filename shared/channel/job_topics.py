"""The topics `job:<jobId>`: a job's events, the same and with the same numbers as its SSE stream sends."""

from __future__ import annotations

from shared.channel.topics import TopicReader
from shared.jobs.queries import JobQueries
from shared.jobs.watcher import JobWatcher
from shared.log.event_log import EventLog


class JobTopics:
    """The TopicSource of jobs; the port describes the methods."""

    kind = "job"

    def __init__(self, *, queries: JobQueries, watcher: JobWatcher, event_log: EventLog) -> None:
        self._queries = queries
        self._watcher = watcher
        self._log = event_log

    def state(self, owner: str, topic_id: str) -> str:
        return self._queries.owned(owner, topic_id).status.value

    def tail(self, topic_id: str) -> int | None:
        tail = self._log.tail(topic_id)
        if tail.terminal:
            return tail.seq
        # If the process that ended the job died before it appended the terminal event, this appends it.
        return self._log.tail(topic_id).seq if self._watcher.check_job(topic_id) else None

    def mark_watched(self, topic_id: str, *, expires_at: int) -> bool:
        self._log.mark_watched(topic_id, expires_at=expires_at)
        return True

    def reader(self, topic_id: str, *, after: int) -> TopicReader:
        return self._watcher.follower(topic_id, after=after, consistent=True)
