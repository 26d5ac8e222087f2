"""Owners create, change, revert and delete projects; nothing that was made is lost, and nothing of others is seen."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from shared.apps.video.changes import MoveScene, RemoveScene
from shared.apps.video.ids import new_project_id, scene_id
from shared.apps.video.models import BuiltChange, VideoChatInput
from shared.apps.video.project import Project
from shared.apps.video.project_store import MOST_PROJECTS, StaleProject
from shared.apps.video.scene import FORMATS, MAX_SCENES
from shared.apps.video.sweep import SWEEP_SECONDS, ProjectSweepReport
from shared.errors import Conflict, ErrorCode, Forbidden, InvalidInput, NotFound, PreconditionFailed, StorageThrottled
from shared.jobs.job import JobLinks
from tests.apps.video.project_jobs import OWNER, ProjectJobs
from tests.apps.video.projects_world import MILLISECONDS, put, put_scene
from tests.fakes.core import a_request

JOB = "job_a" + "0" * 26


@pytest.fixture
def world() -> ProjectJobs:
    return ProjectJobs()


def scene(part: int) -> str:
    return scene_id(JOB, part)


def with_scenes(world: ProjectJobs, *names: str) -> Project:
    project = world.new_project()
    world.answered(project, *(put_scene(JOB, part, name=name) for part, name in enumerate(names)))
    return project


class TestCreating:
    def test_a_new_project_is_empty_and_is_its_own_first_revision(self, world: ProjectJobs) -> None:
        project = world.new_project()

        revision = world.store.revision(project.id, 1)
        assert revision is not None
        assert (project.revision, revision.manifest, revision.cause.kind) == (1, project.manifest, "create")

    def test_a_key_makes_one_project(self, world: ProjectJobs) -> None:
        made = [world.projects.create(OWNER, "A", FORMATS["square"], idempotency_key="k") for _ in range(2)]

        assert made[0] == made[1]
        with pytest.raises(InvalidInput) as refused:
            world.projects.create(OWNER, "B", FORMATS["square"], idempotency_key="k")
        assert refused.value.code == ErrorCode.IDEMPOTENCY_KEY_REUSED
        world.deletion.delete(OWNER, made[0].id)
        with pytest.raises(Conflict, match="send a new key"):
            world.projects.create(OWNER, "A", FORMATS["square"], idempotency_key="k")

    def test_an_owner_has_a_limited_number(self, world: ProjectJobs) -> None:
        made = [world.new_project() for _ in range(MOST_PROJECTS)]

        with pytest.raises(Conflict, match="delete one first"):
            world.new_project()
        world.deletion.delete(OWNER, made[0].id)
        assert world.new_project().revision == 1


class TestUpdating:
    def test_a_title_and_a_format_make_a_revision_and_the_same_ones_none(self, world: ProjectJobs) -> None:
        project = world.new_project()

        renamed = world.projects.update(OWNER, project.id, title="New", video_format=None)
        same = world.projects.update(OWNER, project.id, title="New", video_format=FORMATS["landscape"])

        assert (renamed.title, renamed.revision, same) == ("New", 2, renamed)

    def test_an_update_of_a_revision_that_is_not_the_newest_is_refused(self, world: ProjectJobs) -> None:
        project = world.new_project()
        world.projects.update(OWNER, project.id, title="New", video_format=None, expected=1)

        with pytest.raises(PreconditionFailed, match="has revision 2 now"):
            world.projects.update(OWNER, project.id, title="Late", video_format=None, expected=1)

    def test_a_change_that_another_one_prevents_is_made_again_and_at_last_given_up(self, world: ProjectJobs) -> None:
        project = world.new_project()
        save = world.store.save
        with patch.object(world.store, "save", side_effect=[StaleProject, StaleProject, None]):
            world.projects.update(OWNER, project.id, title="New", video_format=None)
        with patch.object(world.store, "save", side_effect=StaleProject), pytest.raises(StorageThrottled):
            world.projects.update(OWNER, project.id, title="New", video_format=None)
        assert world.store.save == save


class TestReverting:
    def test_to_revert_is_a_revision_that_can_be_reverted_itself(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A")
        world.answered(project, put(scene(0), base=2, name="B"))

        undone = world.projects.revert(OWNER, project.id, 2)
        redone = world.projects.revert(OWNER, project.id, 3)

        assert [each.name for each in undone.manifest.scenes] == ["A"]
        assert [each.name for each in redone.manifest.scenes] == ["B"]
        assert [each.number for each in world.store.revisions(project.id, limit=9)] == [5, 4, 3, 2, 1]

    def test_a_scene_that_is_changed_after_a_return_gets_a_new_version(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A")
        world.answered(project, put(scene(0), base=2, name="B"))
        world.projects.revert(OWNER, project.id, 2)

        world.answered(project, put(scene(0), base=2, name="C"))

        found = world.store.scenes(project.id, [(scene(0), number) for number in range(1, 6)])
        assert {version: each.draft.name for (_, version), each in found.items()} == {2: "A", 3: "B", 5: "C"}

    def test_one_scene_returns_without_what_else_was_changed(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A", "B")
        world.answered(project, put(scene(0), base=2, name="A2"), put(scene(1), base=2, name="B2"))

        after = world.projects.revert(OWNER, project.id, 2, scene_id=scene(0))

        assert [each.name for each in after.manifest.scenes] == ["A", "B2"]

    def test_a_removed_scene_returns_behind_the_one_that_it_followed(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A", "B", "C", "D")
        removed = [BuiltChange(change=RemoveScene(scene_id=scene(part), base_version=2)) for part in (1, 2)]
        world.answered(project, *removed)
        world.answered(project, BuiltChange(change=MoveScene(scene_id=scene(3), after="first")))

        after = world.projects.revert(OWNER, project.id, 2, scene_id=scene(2))
        assert [each.name for each in after.manifest.scenes] == ["D", "A", "C"]
        world.answered(project, BuiltChange(change=RemoveScene(scene_id=scene(0), base_version=2)))
        after = world.projects.revert(OWNER, project.id, 2, scene_id=scene(0))
        assert [each.name for each in after.manifest.scenes] == ["A", "D", "C"]

    def test_what_there_is_not_cannot_be_returned_to(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A")

        for number in (0, 3, -1):
            with pytest.raises(InvalidInput, match="from 1 to 2"):
                world.projects.revert(OWNER, project.id, number)
        with pytest.raises(InvalidInput, match="must be a scene of revision 1"):
            world.projects.revert(OWNER, project.id, 1, scene_id=scene(0))

    def test_a_full_project_takes_no_scene_back(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A")
        world.answered(project, BuiltChange(change=RemoveScene(scene_id=scene(0), base_version=2)))
        for _ in range(MAX_SCENES // 50):
            job = world.ask(project)
            world.save(world.prepare(job, *(put_scene(job.id, part) for part in range(50))))

        with pytest.raises(Conflict, match="remove one first"):
            world.projects.revert(OWNER, project.id, 2, scene_id=scene(0))

    def test_to_return_to_what_the_project_is_changes_nothing(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A")

        assert world.projects.revert(OWNER, project.id, 2) == world.now(project)
        assert world.now(project).revision == 2


class TestDeleting:
    def test_a_project_goes_with_its_jobs_and_all_that_are_linked_to_it(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A")
        chat = world.ask(project)
        poem = world.core.job_creation.create(OWNER, a_request(links=JobLinks(project_id=project.id)))

        world.deletion.delete(OWNER, project.id)

        assert world.store.get(project.id) is None
        assert world.core.jobs.get(chat.id) is None
        assert world.core.jobs.get(poem.id) is None
        with pytest.raises(NotFound):
            world.deletion.delete(OWNER, project.id)

    def test_a_deletion_that_broke_off_is_completed_by_a_repeat(self, world: ProjectJobs) -> None:
        project = with_scenes(world, "A")
        job = world.ask(project)
        with (
            patch.object(world.store, "delete", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            world.deletion.delete(OWNER, project.id)
        with pytest.raises(NotFound):
            world.queries.owned(OWNER, project.id)
        with pytest.raises(NotFound):
            world.deletion.delete("bob", project.id)

        world.deletion.delete(OWNER, project.id)

        assert world.store.get(project.id) is None
        assert world.core.jobs.get(job.id) is None


class TestSweeping:
    """What was stored for a project while it was deleted is removed an hour later."""

    def test_a_deleted_project_is_purged_once_after_an_hour(self, world: ProjectJobs) -> None:
        first, second = world.new_project(), world.new_project()
        for each in (first, second):
            world.deletion.delete(OWNER, each.id)
        with patch.object(world.store, "purge", wraps=world.store.purge) as purge:
            assert world.sweep.run() == ProjectSweepReport(purged=0)
            world.clock.advance(3600)
            assert world.sweep.run() == ProjectSweepReport(purged=2)
            assert world.sweep.run() == ProjectSweepReport(purged=0)
        assert {each.args[0] for each in purge.call_args_list} == {first.id, second.id}

    def test_a_video_that_a_render_has_stored_meanwhile_is_removed(self, world: ProjectJobs) -> None:
        project, other = world.new_project(), world.new_project()
        world.deletion.delete(OWNER, project.id)
        late, kept = (f"renders/{each.id}/rnd_1.mp4" for each in (project, other))
        world.render_files.objects |= {late: b"video", kept: b"video"}
        world.clock.advance(3600)

        assert world.sweep.run() == ProjectSweepReport(purged=1)

        assert list(world.render_files.objects) == [kept]

    def test_a_project_that_cannot_be_purged_keeps_no_other_from_it(self, world: ProjectJobs) -> None:
        first, second = world.new_project(), world.new_project()
        for each in (first, second):
            world.deletion.delete(OWNER, each.id)
        world.clock.advance(3600)
        purge = world.store.purge

        def fail(project_id: str) -> None:
            if project_id == first.id:
                raise StorageThrottled("busy")
            purge(project_id)

        with patch.object(world.store, "purge", side_effect=fail), pytest.raises(StorageThrottled):
            world.sweep.run()
        assert world.store.deleted(world.clock()) == [first.id]
        assert world.sweep.run() == ProjectSweepReport(purged=1)

    def test_a_sweep_ends_in_time(self, world: ProjectJobs) -> None:
        for _ in range(2):
            world.deletion.delete(OWNER, world.new_project().id)
        world.clock.advance(3600)
        purge = world.store.purge

        def slow(project_id: str) -> None:
            purge(project_id)
            world.clock.advance(SWEEP_SECONDS)

        with patch.object(world.store, "purge", side_effect=slow):
            assert world.sweep.run() == ProjectSweepReport(purged=1, finished=False)


class TestOwners:
    def test_a_project_is_its_owners_only(self, world: ProjectJobs) -> None:
        project = world.new_project()

        with pytest.raises(Forbidden):
            world.queries.owned("bob", project.id)
        with pytest.raises(Forbidden):
            world.deletion.delete("bob", project.id)
        with pytest.raises(InvalidInput, match=r"links\.projectId"):
            world.core.job_creation.create("bob", a_request(links=JobLinks(project_id=project.id)))
        for unknown in ("prj_none", new_project_id(MILLISECONDS)):
            with pytest.raises(NotFound):
                world.queries.owned(OWNER, unknown)

    def test_a_job_of_any_pipeline_can_be_linked_to_a_project_that_takes_jobs(self, world: ProjectJobs) -> None:
        project = world.new_project()
        linked = a_request(links=JobLinks(project_id=project.id))
        assert world.core.job_creation.create(OWNER, linked).links.project_id == project.id

        world.store.hide(project)
        with pytest.raises(InvalidInput, match=r"links\.projectId"):
            world.core.job_creation.create(OWNER, linked)

    def test_a_chat_job_needs_a_project(self, world: ProjectJobs) -> None:
        request = a_request(pipeline="video_chat", input=VideoChatInput(text="Hello"))
        with pytest.raises(InvalidInput, match=r"links\.projectId"):
            world.core.job_creation.create(OWNER, request)
