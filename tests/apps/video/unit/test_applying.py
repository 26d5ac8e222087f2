"""Changes are applied to the project as it is now; a change of another version of a scene is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apps.video.applying import apply_changes, differences
from shared.apps.video.changes import MoveScene, RemoveScene, SetProject
from shared.apps.video.ids import scene_id
from shared.apps.video.models import BuiltChange, ChangeMade
from shared.apps.video.project import Project
from shared.apps.video.project_store import MOST_VERSIONS
from shared.apps.video.scene import FORMATS, MAX_SCENES
from shared.errors import ChangeRefused, SceneChanged
from tests.apps.video.projects_world import a_job_id, a_project, put, put_component, put_scene
from tests.fakes.clock import NOON

JOB, OTHER = a_job_id(), a_job_id()


def then(project: Project, *changes: BuiltChange) -> Project:
    applied = apply_changes(project, changes, at=NOON)
    update = {"title": applied.title, "format": applied.format, "manifest": applied.manifest}
    return project.model_copy(update={**update, "revision": project.revision + 1})


def with_scenes(count: int = 3) -> Project:
    return then(a_project(), *(put_scene(JOB, part, name=f"S{part}") for part in range(count)))


def order(project: Project) -> Sequence[str]:
    return [each.name for each in project.manifest.scenes]


def remove(part: int, base: int = 2) -> BuiltChange:
    return BuiltChange(change=RemoveScene(scene_id=scene_id(JOB, part), base_version=base))


def move(part: int, after: str | None) -> BuiltChange:
    return BuiltChange(change=MoveScene(scene_id=scene_id(JOB, part), after=after))


def made(before: Project, after: Project) -> list[tuple[str, str]]:
    return [(each.change, each.name) for each in differences(before, after)]


class TestScenes:
    def test_new_scenes_are_placed_last_first_or_behind_another_and_get_the_revisions_number(self) -> None:
        project = with_scenes()
        after = scene_id(JOB, 0)

        applied = apply_changes(
            project,
            [
                put_scene(OTHER, 0, name="last"),
                put_scene(OTHER, 1, name="first", after="first"),
                put_scene(OTHER, 2, name="second", after=after),
            ],
            at=NOON,
        )

        assert [each.name for each in applied.manifest.scenes] == ["first", "S0", "second", "S1", "S2", "last"]
        assert {each.version for each in applied.scenes} == {project.revision + 1}
        assert [each.change for each in applied.changes] == ["added"] * 3

    def test_a_new_scene_behind_one_that_was_removed_meanwhile_is_placed_last(self) -> None:
        project = then(with_scenes(), remove(0))

        assert order(then(project, put_scene(OTHER, name="new", after=scene_id(JOB, 0)))) == ["S1", "S2", "new"]

    def test_a_changed_scene_keeps_its_place(self) -> None:
        project = with_scenes()

        changed = then(project, put(scene_id(JOB, 1), name="new", base=2, duration_in_frames=30))

        assert order(changed) == ["S0", "new", "S2"]
        assert changed.manifest.duration_in_frames == 90 + 30 + 90
        assert made(project, changed) == [("changed", "new")]

    def test_a_scene_that_is_put_twice_has_one_version(self) -> None:
        applied = apply_changes(a_project(), [put_scene(JOB, name="a"), put_scene(JOB, name="b")], at=NOON)

        assert [each.draft.name for each in applied.scenes] == ["b"]
        assert [each.name for each in applied.manifest.scenes] == ["b"]

    def test_a_scene_can_be_moved_and_removed(self) -> None:
        project = with_scenes()

        changed = then(project, move(0, scene_id(JOB, 2)), remove(1))

        assert order(changed) == ["S2", "S0"]
        assert made(project, changed) == [("moved", "S0"), ("removed", "S1")]

    def test_a_move_to_the_same_place_is_no_change(self) -> None:
        assert apply_changes(with_scenes(), [move(2, None)], at=NOON).changes == ()


class TestConflicts:
    @pytest.mark.parametrize("change", [put(scene_id(JOB, 1), base=2, name="theirs"), remove(1)])
    def test_a_change_of_an_older_version_is_refused(self, change: BuiltChange) -> None:
        project = then(with_scenes(), put(scene_id(JOB, 1), base=2, name="mine"))

        with pytest.raises(SceneChanged, match=r"scene “mine” has version 3 now.*send the message again") as refused:
            then(project, change)
        assert refused.value.code == "SCENE_CHANGED"

    @pytest.mark.parametrize("change", [put(scene_id(JOB, 1), base=2), remove(1), move(1, None)])
    def test_a_change_of_a_removed_scene_is_refused(self, change: BuiltChange) -> None:
        with pytest.raises(SceneChanged, match="was removed"):
            then(then(with_scenes(), remove(1)), change)

    def test_a_change_of_another_scene_is_applied_to_what_the_project_is_now(self) -> None:
        project = then(with_scenes(), remove(0), move(2, "first"))

        assert order(then(project, put(scene_id(JOB, 1), base=2, name="new"))) == ["S2", "new"]

    def test_a_component_that_was_changed_meanwhile_is_refused(self) -> None:
        project = then(a_project(), put_component())

        with pytest.raises(SceneChanged, match="component Counter has version 2"):
            then(project, put_component())
        assert then(project, put_component(base=2)).manifest.components[0].version == 3


class TestLimits:
    def test_a_project_has_a_limited_number_of_scenes(self) -> None:
        project = a_project()
        for begin in range(0, MAX_SCENES, 50):
            job = a_job_id()
            project = then(project, *(put_scene(job, part) for part in range(min(50, MAX_SCENES - begin))))

        with pytest.raises(ChangeRefused, match="at most 200 scenes"):
            then(project, put_scene(OTHER))

    def test_a_change_has_a_limited_number_of_versions(self) -> None:
        with pytest.raises(ChangeRefused, match=f"at most {MOST_VERSIONS}"):
            then(a_project(), *(put_scene(JOB, part) for part in range(MOST_VERSIONS + 1)))

    def test_a_scene_without_a_build_is_a_defect(self) -> None:
        with pytest.raises(ValueError, match="putScene needs the build"):
            then(a_project(), put_scene(JOB).model_copy(update={"build": None}))


class TestProject:
    def test_title_and_format_are_changed_each_alone(self) -> None:
        project = a_project()

        renamed = then(project, BuiltChange(change=SetProject(title="New")))
        square = then(renamed, BuiltChange(change=SetProject(format=FORMATS["square"])))

        assert (square.title, square.format.width) == ("New", 1080)
        assert list(differences(project, square)) == [
            ChangeMade(change="project", id="title", name="New"),
            ChangeMade(change="project", id="format", name="1080 x 1080, 30 frames per second"),
        ]


@given(st.permutations(range(7)), st.sets(st.integers(0, 6), max_size=6))
def test_as_few_scenes_as_possible_are_called_moved(new_order: list[int], removed: set[int]) -> None:
    before = with_scenes(7)
    kept = [each for each in new_order if each not in removed]
    entries = before.manifest.scenes
    manifest = before.manifest.model_copy(update={"scenes": tuple(entries[each] for each in kept)})
    after = before.model_copy(update={"manifest": manifest})

    changes: dict[str, Any] = {each.id: each.change for each in differences(before, after)}

    unmoved = [each for each in kept if scene_id(JOB, each) not in changes]
    assert unmoved == sorted(unmoved)
    assert {each for each, change in changes.items() if change == "removed"} == {scene_id(JOB, e) for e in removed}
    if kept == sorted(kept):
        assert "moved" not in changes.values()
