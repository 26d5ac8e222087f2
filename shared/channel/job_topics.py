"""The topics `job:<jobId>`: a job's events, the same and with the same numbers as its SSE stream sends."""

from __future__ import annotations

from collections.abc import Sequence

from shared.channel.topics import TopicReader
from shared.jobs.queries import JobQueries, JobView
from shared.jobs.watcher import JobWatcher, archived_frames
from shared.log.event_log import EventLog
from shared.log.reader import Frame

MOST_ARCHIVED = 4
"""How many archived jobs are kept in memory between the calls for one subscription. One may be several megabytes."""


class JobTopics:
    """The TopicSource of jobs; the port describes the methods.

    A subscription to an archived job gets its events at once, and nothing later. `state` reads the job from the
    archive, because only `state` gets the owner, who is part of its key there; the other calls for the same
    subscription use what it has read.
    """

    kind = "job"

    def __init__(self, *, queries: JobQueries, watcher: JobWatcher, event_log: EventLog) -> None:
        self._queries = queries
        self._watcher = watcher
        self._log = event_log
        self._archived: dict[str, JobView] = {}

    def state(self, owner: str, topic_id: str) -> str:
        self._archived.pop(topic_id, None)
        found = self._queries.find(owner, topic_id)
        if not isinstance(found, JobView):
            return found.status.value
        while len(self._archived) >= MOST_ARCHIVED:
            del self._archived[next(iter(self._archived))]
        self._archived[topic_id] = found
        return found.job.status.value

    def tail(self, topic_id: str) -> int | None:
        archived = self._archived.get(topic_id)
        if archived is not None:
            return archived.transcript.seq
        tail = self._log.tail(topic_id)
        if self._watcher.has_ended(topic_id, tail):
            return tail.seq
        # If the process that ended the job died before it appended the terminal event, this appends it.
        return self._log.tail(topic_id).seq if self._watcher.check_job(topic_id) else None

    def mark_watched(self, topic_id: str, *, expires_at: int) -> bool:
        if topic_id not in self._archived:  # nothing is appended to the log of an archived job
            self._log.mark_watched(topic_id, expires_at=expires_at)
        return True

    def reader(self, topic_id: str, *, after: int) -> TopicReader:
        archived = self._archived.get(topic_id)
        if archived is not None:
            return ArchivedReader(archived, after=after)
        return self._watcher.follower(topic_id, after=after, consistent=True)


class ArchivedReader:
    """Implements TopicReader for an archived job."""

    def __init__(self, view: JobView, *, after: int) -> None:
        self._view = view
        self.position = after

    def poll(self) -> Sequence[Frame]:
        """Return the events after `position`; nothing from the second call on."""
        frames = archived_frames(self._view, after=self.position)
        self.position = self._view.transcript.seq
        return frames
