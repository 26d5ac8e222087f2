"""The scripted model's scenes, really built: each kind plays, and each kind of fault is repaired in one round."""

from __future__ import annotations

import pytest

from shared.apps.video.build.checks import Checks
from shared.apps.video.changes import PutScene
from shared.apps.video.code_text import code_in
from shared.errors import InvalidModelOutput
from tests.apps.video.chat_world import VideoWorld
from tests.apps.video.compiler_lane import build, require_compiler
from tests.apps.video.scripted_model import ScriptedVideoModel
from tests.apps.video.unit.test_scripted_answers import KINDS, new_scene, written

FAULTS = {
    "undefined_name": "undefinedName",
    "duplicate": "Headline",
    "syntax": "AbsoluteFil",
    "loop": "",
    "network": "fetch",
    "prose": "no code",
    "truncated": "cut off",
}

require_compiler()


@pytest.fixture
def world() -> VideoWorld:
    world = VideoWorld()
    world.checks = Checks()
    return world


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "logo"])
def test_each_kind_of_scene_plays(kind: str) -> None:
    code = code_in(written(new_scene(kind=kind, accent="#123456", points=["One", "Two", "Three"])), None)
    report = build(code, props={"title": "Hello", "accent": "#ff0000"})
    assert (report.errors, report.warnings) == ((), ())


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_found_and_repaired_in_one_round(world: VideoWorld, kind: str) -> None:
    model = ScriptedVideoModel()
    answer = world.answer_with(model, f"add a scene about rivers [[code: {kind}]]")
    change = answer.changes[0].change
    assert isinstance(change, PutScene)
    assert FAULTS[kind] in model.requests[-1].messages[-1].text
    assert len(model.requests) == 4


def test_a_fault_that_stays_fails_with_line_and_column_and_changes_nothing(world: VideoWorld) -> None:
    with pytest.raises(InvalidModelOutput, match=r"line \d+, column \d+: .*undefinedName"):
        world.answer_with(ScriptedVideoModel(), "add a scene about rivers [[code: undefined_name, twice]]")
    assert world.projects.get(world.project.id) == world.project


def test_an_image_is_shown_by_the_scene_that_is_made_of_it(world: VideoWorld) -> None:
    image_id = world.add_image()
    answer = world.answer_with(ScriptedVideoModel(), "add a scene with this logo", imageIds=[image_id])
    assert answer.images_used == (image_id,)
