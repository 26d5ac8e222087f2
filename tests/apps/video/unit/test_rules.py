"""The rules: commands that mean one thing, and near misses that no rule may read."""

from __future__ import annotations

from typing import Any

import pytest

from shared.apps.video.brain.context import ChatContext
from shared.apps.video.brain.rules import Ruled, read_command
from shared.apps.video.tools.toolbox import check, run
from shared.tools.result import ToolResult
from tests.apps.video.unit.facts_world import EMPTY, IMAGE, SCENES, facts, scene

FIRST, SECOND, THIRD = SCENES


def read(text: str, **fields: Any) -> Ruled | None:
    return read_command(ChatContext(**{"text": text, "facts": facts(), **fields}))


def _duration(scene_id: str, mode: str, **amount: float) -> tuple[str, dict[str, Any]]:
    return "changeDuration", {"sceneId": scene_id, "mode": mode, **amount}


def _patched(path: str, value: Any) -> tuple[str, dict[str, Any]]:
    return "applyPatch", {"ops": [{"op": "replace", "path": path, "value": value}]}


def _deleted(*scene_ids: str) -> tuple[str, dict[str, Any]]:
    return "deleteScene", {"sceneIds": list(scene_ids)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("delete scene 2", _deleted(SECOND)),
        ("Please delete the second scene.", _deleted(SECOND)),
        ("could you remove the last scene, please?", _deleted(THIRD)),
        ("delete scenes 1 and 3", _deleted(FIRST, THIRD)),
        ("remove scene 1, scene 2 and the last scene", _deleted(FIRST, SECOND, THIRD)),
        ("delete the scene “Features”", _deleted(SECOND)),
        ('drop the "outro" scene', _deleted(THIRD)),
        ("delete scene two", _deleted(SECOND)),
        ("make scene 2 4 seconds long", _duration(SECOND, "trim", seconds=4)),
        ("set the duration of the first scene to 2.5s", _duration(FIRST, "trim", seconds=2.5)),
        ("trim scene 1 to two seconds", _duration(FIRST, "trim", seconds=2)),
        ("make scene 3 1 second shorter", _duration(THIRD, "trim", deltaSeconds=-1)),
        ("extend scene 3 by 2 seconds", _duration(THIRD, "trim", deltaSeconds=2)),
        ("stretch scene 1 to 6 seconds", _duration(FIRST, "stretch", seconds=6)),
        ("make scene 2 faster", _duration(SECOND, "retime", factor=1.5)),
        ("slow down scene 2", _duration(SECOND, "retime", factor=0.6667)),
        ("make scene 2 twice as fast!", _duration(SECOND, "retime", factor=2)),
        ("halve the speed of scene 2", _duration(SECOND, "retime", factor=0.5)),
        ("move scene 3 to the beginning", _patched("/order", [THIRD, FIRST, SECOND])),
        ("move scene 1 to the end", _patched("/order", [SECOND, THIRD, FIRST])),
        ("move scene 1 after scene 2", _patched("/order", [SECOND, FIRST, THIRD])),
        ("move the last scene before scene 2", _patched("/order", [FIRST, THIRD, SECOND])),
        ("move scene 1 to position 2", _patched("/order", [SECOND, FIRST, THIRD])),
        ("swap scene 1 and scene 3", _patched("/order", [THIRD, SECOND, FIRST])),
        ("rename scene 1 to “Intro”", _patched(f"/scenes/{FIRST}/name", "Intro")),
        ('rename the video to "Autumn"', _patched("/title", "Autumn")),
        ("change the title of scene 1 to “Don't stop”", _patched(f"/scenes/{FIRST}/props/title", "Don't stop")),
        ('set the accent in scene 1 to "#ff0000"', _patched(f"/scenes/{FIRST}/props/accent", "#ff0000")),
    ],
)
def test_a_command_that_means_one_thing_is_read(text: str, wanted: tuple[str, dict[str, Any]]) -> None:
    ruled = read(text)
    assert ruled is not None
    assert ruled.call is not None
    assert (ruled.call.name, ruled.call.arguments) == wanted
    checked = check(ruled.call)
    assert not isinstance(checked, ToolResult)
    assert run(facts(), checked).result.ok


@pytest.mark.parametrize(
    "text",
    [
        "delete it",
        "delete scene 4",
        "delete scene 2 and add a new one",
        "don't delete scene 2",
        "delete the text in scene 2",
        "delete the third bar in scene 2",
        'delete "Features"',
        'delete the scene "Nothing"',
        "make it faster",
        "make scene 2 faster and blue",
        "make scene 2 look faster",
        "make the title of scene 2 faster",
        "make scene 2 like scene 1",
        "make scene 9 faster",
        "this scene should be 4 seconds",
        "make this scene faster",
        "scene 2 is 4 seconds long, isn't it?",
        "move scene 2 to the left",
        "move scene 1 after scene 1",
        "move scene 1 to position 9",
        "swap scene 1 and scene 1",
        'change the colour of scene 1 to "red"',
        'change the items of scene 2 to "One"',
        'rename scene 1 to "A" and delete scene 2',
        "undo the change of the title in scene 1",
        "",
        "please",
        "mach Szene 2 schneller",
        'rename scene 1 to "a\nb"',
    ],
)
def test_what_could_mean_something_else_is_left_to_the_model(text: str) -> None:
    assert read(text) is None


def test_this_scene_is_the_attached_one_then_the_selected_one() -> None:
    by_selection = read("delete this scene", selected=SECOND)
    by_attachment = read("delete this scene", selected=SECOND, attached=(FIRST,))
    assert by_selection is not None
    assert by_attachment is not None
    assert (by_selection.call, by_attachment.call) == (_requested(SECOND), _requested(FIRST))
    assert read("delete this scene", selected=SECOND, attached=(FIRST, THIRD)) is None


def _requested(scene_id: str) -> Any:
    ruled = read(f"delete scene {SCENES.index(scene_id) + 1}")
    return ruled.call if ruled else None


def test_no_rule_reads_a_message_with_an_image() -> None:
    assert read("delete scene 2", image_ids=(IMAGE,)) is None


def test_no_rule_reads_a_number_or_a_name_that_two_scenes_share() -> None:
    named = facts(scenes=(scene(0, name="Scene 2"), scene(1), scene(2, name="Features")))
    assert read("delete scene 2", facts=named) is None
    assert read("delete scene 1", facts=named) is not None
    assert read('delete the scene "Features"', facts=named) is None


def test_undo_is_answered_with_what_to_press() -> None:
    ruled = read("Undo that, please")
    assert ruled is not None
    assert (ruled.call, "revision 6" in ruled.reply) == (None, True)
    nothing = read("undo", facts=EMPTY.__class__(revision=1, title="New", format=EMPTY.format))
    assert nothing is not None
    assert nothing.reply == "There is nothing to undo yet."
