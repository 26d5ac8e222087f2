"""The channel's topics of projects: every revision once and in order, by its own number."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.apps.video.project import Project
from shared.apps.video.project_topics import MOST_EVENTS, ProjectTopics, announce
from shared.channel.topics import Topic, TopicSource
from shared.errors import Forbidden, NotFound
from shared.log.events import StreamEvent
from tests.apps.video.projects_world import a_job_id, put_scene, stored_project, write_of
from tests.fakes.projects import FakeProjectStore


class Heard:
    """Implements Announcements: what was announced."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int, StreamEvent | None]] = []

    def notice(
        self, topic: Topic, first: int, events: Sequence[StreamEvent | None], *, watched: int | None = None
    ) -> None:
        self.events += [(str(topic), seq, event) for seq, event in enumerate(events, first)]

    def flush(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def store() -> FakeProjectStore:
    return FakeProjectStore()


def with_revisions(store: FakeProjectStore, count: int) -> Project:
    """Store a project that has this many revisions."""
    project = stored_project(store)
    for _ in range(count - 1):
        write = write_of(project, put_scene(a_job_id()))
        store.save(write)
        project = write.after
    return project


def test_a_reader_returns_each_revision_once_from_its_number_on(store: FakeProjectStore) -> None:
    project = with_revisions(store, 4)
    topics: TopicSource = ProjectTopics(store)
    assert not topics.mark_watched(project.id, expires_at=0)
    for after in range(5):
        reader = topics.reader(project.id, after=after)
        assert [frame.id for frame in reader.poll()] == list(range(after + 1, 5))
        assert (reader.position, reader.poll()) == (4, [])
    reader = topics.reader(project.id, after=4)
    store.save(write_of(project, put_scene(a_job_id())))
    (frame,) = reader.poll()
    assert frame.event.model_dump(exclude_none=True)["revision"] == frame.id == 5


def test_a_snapshot_replaces_what_are_too_many_revisions(store: FakeProjectStore) -> None:
    project = with_revisions(store, MOST_EVENTS + 3)
    frames = ProjectTopics(store).reader(project.id, after=1).poll()
    assert [(frames[0].id, frames[0].event.type), frames[1].id] == [(3, "snapshot"), 4]
    assert len(frames) == MOST_EVENTS + 1


def test_what_is_announced_is_what_a_reader_returns(store: FakeProjectStore) -> None:
    heard, project = Heard(), stored_project(store)
    write = write_of(project, put_scene(a_job_id()))
    store.save(write)
    announce(heard, write)
    (frame,) = ProjectTopics(store).reader(project.id, after=1).poll()
    assert heard.events == [(f"project:{project.id}", frame.id, frame.event)]


def test_only_the_owner_follows_a_project_and_only_while_there_is_one(store: FakeProjectStore) -> None:
    project, topics = stored_project(store), ProjectTopics(store)
    assert (topics.state("ada", project.id), topics.tail(project.id)) == ("active", 1)
    with pytest.raises(Forbidden):
        topics.state("eve", project.id)
    store.hide(project)
    with pytest.raises(NotFound):
        topics.state("ada", project.id)
    assert topics.tail(project.id) is None
