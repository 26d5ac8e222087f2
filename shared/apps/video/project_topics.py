"""The topics `project:<projectId>`: the revisions of a project, for the connections that follow it.

The number of an event is that of its revision. So the topic is stored nowhere else, and has no gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from shared.apps.video.project import Cause, Revision
from shared.apps.video.project_store import ProjectStore, ProjectWrite
from shared.apps.video.queries import owned_project
from shared.channel.announcer import Announcements
from shared.channel.topics import Topic, TopicReader
from shared.log.events import ApplicationEvent, OpaqueEvent
from shared.log.reader import Frame

KIND: Final = "project"
"""The first part of the topics' names."""

MOST_EVENTS: Final = 50
"""How many of the newest revisions are sent one by one; a snapshot replaces those before."""


class RevisionMade(ApplicationEvent):
    """The project has a new revision: why, and in one line what it changed."""

    type: Literal["revision"] = "revision"
    revision: int
    cause: Cause
    summary: str
    created_at: datetime


def announce(announcer: Announcements, write: ProjectWrite) -> None:
    """Tell the subscribed connections of a revision that was stored."""
    revision = write.revision
    announcer.notice(Topic(KIND, revision.project_id), revision.number, [_sent(revision)])


class ProjectTopics:
    """The TopicSource of projects; the port describes the methods."""

    kind = KIND

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    def state(self, owner: str, topic_id: str) -> str:
        owned_project(self._projects, owner, topic_id)
        return "active"

    def tail(self, topic_id: str) -> int | None:
        project = self._projects.get(topic_id)
        return None if project is None or project.deleting else project.revision

    def mark_watched(self, topic_id: str, *, expires_at: int) -> bool:  # noqa: ARG002 - the port's names
        return False

    def reader(self, topic_id: str, *, after: int) -> TopicReader:
        return ProjectReader(self._projects, topic_id, after=after)


class ProjectReader:
    """The TopicReader of one project; the port describes the methods. A snapshot has no fields: read the project."""

    def __init__(self, projects: ProjectStore, project_id: str, *, after: int) -> None:
        self._projects = projects
        self._project_id = project_id
        self._position = after

    @property
    def position(self) -> int:
        return self._position

    def poll(self) -> Sequence[Frame]:
        newest = self._projects.revisions(self._project_id, limit=MOST_EVENTS)
        missing = [each for each in reversed(newest) if each.number > self._position]
        frames = [Frame(each.number, _sent(each)) for each in missing]
        if missing and missing[0].number > self._position + 1:
            frames.insert(0, Frame(missing[0].number - 1, OpaqueEvent(type="snapshot")))
        self._position = frames[-1].id if frames else self._position
        return frames


def _sent(revision: Revision) -> OpaqueEvent:
    """Return the event of the revision as the channel sends it."""
    event = RevisionMade(
        revision=revision.number, cause=revision.cause, summary=revision.summary, created_at=revision.created_at
    )
    return OpaqueEvent.model_validate_json(event.model_dump_json(exclude_none=True))
