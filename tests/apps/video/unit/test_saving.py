"""A message's changes become one revision, exactly once, also after kills, cancels and changes of others."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from shared.apps.video.changes import MoveScene
from shared.apps.video.ids import message_id, scene_id
from shared.apps.video.models import BuiltChange, ChangeMade, LearnedPreference, Option, RequestedTool
from shared.apps.video.preferences import Preferences, PreferenceScope
from shared.apps.video.project import ChatMessage
from shared.apps.video.project_store import ProjectWrite, StaleProject
from shared.errors import CheckpointUnfit, JobEnded, SceneChanged
from shared.jobs.job import JobStatus
from shared.jobs.store import PreparedWrites
from shared.log.events import Item
from tests.apps.video.project_jobs import OWNER, ProjectJobs
from tests.apps.video.projects_world import put, put_component, put_scene
from tests.storage.at_once import CALLERS, at_once


@pytest.fixture
def world() -> ProjectJobs:
    return ProjectJobs()


class TestSaving:
    def test_changes_and_answer_are_one_revision(self, world: ProjectJobs) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id, name="Title"), put_component(), reply="I added a title.")

        result = world.save(job)

        now = world.now(project)
        added = ChangeMade(change="added", id=scene_id(job.id, 0), name="Title", after=2)
        component = ChangeMade(change="component", id="Counter", name="Counter", after=2)
        assert (result.revision, result.changes, now.revision) == (2, (added, component), 2)
        revision = world.store.revision(project.id, 2)
        assert revision is not None
        assert (revision.cause.kind, revision.cause.job_id) == ("chat", job.id)
        asked, answer = world.messages(project)
        assert (answer.role, answer.text, answer.revision) == ("assistant", "I added a title.", 2)
        assert (asked.status, asked.id) == ("completed", message_id(job.id, "user"))
        world.core.complete(job)
        assert world.messages(project)[0].status == "completed"

    def test_watchers_get_an_item_for_each_scene_and_component(self, world: ProjectJobs) -> None:
        project = world.new_project()
        first = world.answered(project, put_scene(job_id := "job_a" + "0" * 26, name="Old"))
        old = scene_id(job_id, 0)
        job = world.ask(project)
        move = BuiltChange(change=MoveScene(scene_id=old, after=None))
        world.prepare(job, put_scene(job.id, name="New", after="first"), put(old, base=2, name="Newer"), move)
        world.save(job)

        items = {each.key: each.data for each in world.core.events(job) if isinstance(each, Item)}

        assert items[f"scene-{scene_id(job.id, 0)}"] | {"digest": ""} == {
            "sceneId": scene_id(job.id, 0),
            "change": "added",
            "name": "New",
            "version": 3,
            "before": None,
            "revision": 3,
            "order": 1,
            "durationInFrames": 90,
            "playbackRate": 1.0,
            "digest": "",
        }
        assert (items[f"scene-{old}"]["before"], items[f"scene-{old}"]["order"]) == (2, 2)
        sent = [each.model_dump() for each in world.core.events(job)]
        statuses = [(each["name"], each["status"]) for each in sent if each["type"] == "sceneStatus"]
        assert statuses == [("New", "saved"), ("Newer", "saved")]
        assert world.core.job(first.id).status is JobStatus.COMPLETED

    def test_an_answer_without_a_change_makes_no_revision(self, world: ProjectJobs) -> None:
        project = world.new_project()
        option = Option(label="The title", call=RequestedTool(name="deleteScene"))
        job = world.prepare(
            world.ask(project), outcome="asked", question="Which one?", options=(option,), reply="I am not sure."
        )

        result = world.save(job)

        assert (result.outcome, result.revision, result.question) == ("asked", 1, "Which one?")
        assert world.now(project) == project
        answer = world.messages(project)[1]
        assert (answer.kind, answer.text, answer.options) == ("question", "Which one?", (option,))
        assert world.ask(project, answer_to=answer.id).id

    def test_a_repeated_attempt_finds_what_was_stored(self, world: ProjectJobs) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id))
        with (
            patch("shared.apps.video.saving._items", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            world.core.run(world.stage, job)
        assert world.now(project).revision == 2

        result = world.save(job, retry=1)

        assert (result.revision, world.now(project).revision, len(world.messages(project))) == (2, 2, 2)
        items = [each.key for each in world.core.events(job) if isinstance(each, Item)]
        assert items == [f"scene-{scene_id(job.id, 0)}"]


class TestOthers:
    def test_ten_additions_at_once_make_ten_scenes(self, world: ProjectJobs) -> None:
        project = world.new_project()
        jobs = [world.ask(project) for _ in range(CALLERS)]
        for number, job in enumerate(jobs):
            world.prepare(job, put_scene(job.id, name=f"Scene {number}"))

        at_once(lambda number: world.save(jobs[number]))

        assert sorted(world.names(project)) == sorted(f"Scene {number}" for number in range(CALLERS))
        assert world.now(project).revision == 1 + CALLERS

    def test_of_two_edits_of_one_scene_one_is_refused_and_the_other_kept(self, world: ProjectJobs) -> None:
        project = world.new_project()
        first = world.answered(project, put_scene("job_a" + "0" * 26))
        target = scene_id("job_a" + "0" * 26, 0)
        jobs = [world.prepare(world.ask(project), put(target, base=2, name=name)) for name in ("Red", "Blue")]

        world.save(jobs[0])
        with pytest.raises(SceneChanged):
            world.save(jobs[1])
        world.core.record_failure(jobs[1], "SceneChanged")

        assert world.names(project) == ["Red"]
        assert first.id
        failed = world.messages(project)[-1]
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == ("failed", "SCENE_CHANGED")
        with pytest.raises(CheckpointUnfit, match="send the message again"):
            world.core.job_resumption.resume(OWNER, jobs[1].id)

    def test_a_scene_that_changes_between_reading_and_writing_is_seen(self, world: ProjectJobs) -> None:
        project = world.new_project()
        world.answered(project, put_scene("job_a" + "0" * 26))
        target = scene_id("job_a" + "0" * 26, 0)
        job = world.prepare(world.ask(project), put(target, base=2, name="Mine"))
        theirs = world.prepare(world.ask(project), put(target, base=2, name="Theirs"))
        save = world.store.save

        def late(write: ProjectWrite, **also: Any) -> None:
            world.store.save = save  # type: ignore[method-assign]
            world.save(theirs)
            save(write, **also)

        world.store.save = late  # type: ignore[method-assign]
        with pytest.raises(SceneChanged):
            world.save(job)
        assert world.names(project) == ["Theirs"]

    def test_a_cancelled_job_changes_nothing_any_more(self, world: ProjectJobs) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id))
        save = world.store.save

        def late(write: ProjectWrite, **also: Any) -> None:
            world.core.job_cancellation.cancel(OWNER, job.id)
            save(write, **also)

        world.store.save = late  # type: ignore[method-assign]
        with pytest.raises(JobEnded):
            world.save(job)
        assert (world.now(project), world.messages(project)[0].status) == (project, "cancelled")

    def test_an_answered_message_stays_completed_although_its_job_is_cancelled_or_resumed(
        self, world: ProjectJobs
    ) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id))
        world.save(job)

        world.core.job_cancellation.cancel(OWNER, job.id)
        shown = [(each.role, each.status) for each in world.messages(project)]
        world.core.job_resumption.resume(OWNER, job.id)

        assert world.core.job(job.id).status is JobStatus.PENDING
        assert shown == [(each.role, each.status) for each in world.messages(project)]
        assert ("user", "completed") in shown
        assert world.names(project) == ["Intro"]

    def test_an_answer_that_is_stored_while_the_job_is_being_cancelled_is_shown_as_one(
        self, world: ProjectJobs
    ) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id))
        prepare = world.store.prepare_update

        def late(message: ChatMessage, **was: Any) -> PreparedWrites:
            if message.status == "cancelled":
                world.store.prepare_update = prepare  # type: ignore[method-assign]
                world.save(job)
            return prepare(message, **was)

        world.store.prepare_update = late  # type: ignore[method-assign]
        world.core.job_cancellation.cancel(OWNER, job.id)

        assert world.core.job(job.id).status is JobStatus.CANCELLED
        assert [each.status for each in world.messages(project) if each.role == "user"] == ["completed"]

    def test_a_job_that_was_cancelled_can_be_resumed_and_then_changes_the_project(self, world: ProjectJobs) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id))
        world.core.job_cancellation.cancel(OWNER, job.id)

        world.core.job_resumption.resume(OWNER, job.id)
        assert world.messages(project)[0].status == "running"
        world.save(job, generation=2)

        assert world.names(project) == ["Intro"]

    def test_a_job_of_a_deleted_project_ends(self, world: ProjectJobs) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id))
        world.store.hide(project)

        with pytest.raises(JobEnded):
            world.save(job)

    def test_a_change_that_is_never_stored_is_given_up(self, world: ProjectJobs) -> None:
        project = world.new_project()
        job = world.ask(project)
        world.prepare(job, put_scene(job.id))
        with (
            patch.object(world.store, "save", side_effect=StaleProject),
            pytest.raises(Exception, match="all the time"),
        ):
            world.save(job)


class TestLearning:
    def test_what_a_message_teaches_is_stored_with_its_answer(self, world: ProjectJobs) -> None:
        project = world.new_project()
        learned = (LearnedPreference(key="brandColour", value="#1d4ed8"),)
        job = world.prepare(world.ask(project), learned=learned)

        world.save(job)
        world.save(world.prepare(world.ask(project), learned=learned))

        stored = world.preferences.get(PreferenceScope(OWNER, project.id))
        assert (stored.version, [(each.key, each.source) for each in stored.facts]) == (1, [("brandColour", "learned")])
        assert stored.facts[0].message_id == message_id(job.id, "user")
        assert world.preferences.get(PreferenceScope(OWNER)) == Preferences()
