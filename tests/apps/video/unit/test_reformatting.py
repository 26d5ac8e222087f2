"""A project gets another format only when all its scenes have been played in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.apps.video.applying import apply_changes
from shared.apps.video.changes import PutScene
from shared.apps.video.models import PreparedAnswer
from shared.apps.video.scene import FORMATS, Format
from shared.errors import ChangeRefused, Conflict, SceneChanged
from tests.apps.video.chat_world import CODE, VideoWorld, brief, decision
from tests.apps.video.project_jobs import OWNER, ProjectJobs
from tests.apps.video.projects_world import a_job_id, put_scene, write_of
from tests.fakes.clock import NOON

PORTRAIT = FORMATS["portrait"]
FASTER = Format(width=1280, height=720, fps=60)


@pytest.fixture
def world() -> VideoWorld:
    return VideoWorld()


def patch(world: VideoWorld, *ops: dict[str, Any]) -> PreparedAnswer:
    """Return what a message prepares that changes the project by these operations."""
    return world.answer("Patch", tool={"name": "applyPatch", "arguments": {"ops": list(ops)}})


def set_format(wanted: Format) -> dict[str, Any]:
    return {"op": "replace", "path": "/format", "value": wanted.model_dump()}


def test_scenes_are_played_in_another_size_and_keep_their_versions(world: VideoWorld) -> None:
    answer = patch(world, set_format(PORTRAIT))
    assert [each.format for each in world.builder.requests] == [PORTRAIT] * 3
    result = world.save(world.last_job)
    project = world.projects.get(world.project.id)
    assert project is not None
    assert (project.format, project.manifest) == (PORTRAIT, world.project.manifest)
    assert [each.id for each in result.changes] == ["format"]
    assert len(answer.changes) == 1


def test_scenes_keep_their_seconds_at_another_number_of_frames(world: VideoWorld) -> None:
    patch(world, set_format(FASTER))
    world.save(world.last_job)
    project = world.projects.get(world.project.id)
    assert project is not None
    before = [each.duration_in_frames for each in world.project.manifest.scenes]
    assert [each.duration_in_frames for each in project.manifest.scenes] == [2 * each for each in before]
    assert [each.duration_in_frames for each in world.builder.requests] == [2 * each for each in before]


def test_a_scene_that_does_not_play_in_the_format_refuses_it(world: VideoWorld) -> None:
    broken = put_scene(a_job_id(), name="Wide", tsx_code=CODE.replace("Hi", "duplicate"))
    world.projects.save(write_of(world.project, broken))
    with pytest.raises(ChangeRefused, match=r"scene 4 “Wide” does not play at 720 x 1280, 30 frames per second"):
        patch(world, set_format(PORTRAIT))


def test_a_scene_that_the_same_message_changes_is_played_in_the_new_format(world: VideoWorld) -> None:
    rename = {"op": "replace", "path": f"/scenes/{world.scene_ids[0]}/name", "value": "Opening"}
    answer = patch(world, set_format(FASTER), rename)
    assert len(world.builder.requests) == 3
    puts = [each.change for each in answer.changes if isinstance(each.change, PutScene)]
    assert {each.draft.duration_in_frames for each in puts} == {180}
    world.save(world.last_job)


def test_a_scene_that_is_added_meanwhile_is_not_kept_unplayed(world: VideoWorld) -> None:
    patch(world, set_format(PORTRAIT))
    world.projects.save(write_of(world.project, put_scene(a_job_id(), name="Late")))
    with pytest.raises(SceneChanged, match="scene “Late” was not played at 720 x 1280"):
        world.save(world.last_job)


def test_a_scene_of_the_format_before_is_not_added(world: VideoWorld) -> None:
    world.answer("rivers", decision(), json.dumps(brief()), CODE)
    writing = world.last_job
    patch(world, set_format(PORTRAIT))
    world.save(world.last_job)
    with pytest.raises(SceneChanged, match="scene “Rivers” was not played"):
        world.save(writing)


def test_a_change_without_a_format_fits_whatever_the_project_has(world: VideoWorld) -> None:
    applied = apply_changes(world.project, [put_scene(a_job_id())], at=NOON)
    assert len(applied.manifest.scenes) == 4


def test_the_format_is_set_directly_only_while_there_is_no_scene() -> None:
    jobs = ProjectJobs()
    project = jobs.projects.create(OWNER, "Launch", FORMATS["landscape"])
    empty = jobs.projects.update(OWNER, project.id, title=None, video_format=PORTRAIT)
    assert empty.format == PORTRAIT
    jobs.store.save(write_of(empty, put_scene(a_job_id())))
    with pytest.raises(Conflict, match="send a message with the tool applyPatch"):
        jobs.projects.update(OWNER, project.id, title=None, video_format=FASTER)
    assert jobs.projects.update(OWNER, project.id, title="New", video_format=PORTRAIT).title == "New"


def test_one_scene_returns_only_to_a_revision_of_the_same_format() -> None:
    jobs = ProjectJobs()
    project = jobs.projects.create(OWNER, "Launch", FORMATS["landscape"])
    write = write_of(project, put_scene(a_job_id()))
    jobs.store.save(write)
    scene_id = write.after.manifest.scenes[0].scene_id
    square = jobs.projects.revert(OWNER, project.id, 1)
    jobs.projects.update(OWNER, project.id, title=None, video_format=FORMATS["square"])
    assert square.manifest.scenes == ()
    with pytest.raises(Conflict, match="return the whole project"):
        jobs.projects.revert(OWNER, project.id, 2, scene_id=scene_id)
    assert jobs.projects.revert(OWNER, project.id, 2).format == FORMATS["landscape"]
