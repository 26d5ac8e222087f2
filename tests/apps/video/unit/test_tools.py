"""The tools of video chat: what each call changes, what it leaves to a model, and what is refused why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agents.agent import AgentSettings
from shared.apps.video.changes import MoveScene, PutScene, RemoveScene, SetProject
from shared.apps.video.models import RequestedTool
from shared.apps.video.scene import MAX_SCENES
from shared.apps.video.tools.effects import WriteComponent, WritePlan, WriteScene
from shared.apps.video.tools.toolbox import TOOLBOX, broken_rules, check, drafts_needed, run
from shared.tools.result import ToolResult
from tests.apps.video.unit.facts_world import (
    CODE,
    EMPTY,
    NEW_SCENES,
    SCENES,
    call,
    code_of,
    facts,
    scene,
)

FIRST, SECOND, THIRD = SCENES
MISSING = "scn_01k0000000000000000000000z-0"
NO_IMAGE = "img_01k0000000000000000000000z"


def test_there_are_seven_tools() -> None:
    assert TOOLBOX.names == (
        "addScene",
        "editScene",
        "deleteScene",
        "changeDuration",
        "planScenes",
        "applyPatch",
        "generateComponent",
    )


@pytest.mark.parametrize(
    ("name", "arguments", "issue"),
    [
        ("changeDuration", {"sceneId": FIRST, "mode": "trim", "seconds": 0}, ("seconds", "must be greater than 0")),
        ("changeDuration", {"sceneId": FIRST, "mode": "trim", "seconds": "5"}, ("seconds", "must be a valid number")),
        (
            "changeDuration",
            {"sceneId": FIRST, "mode": "trim"},
            ("", "exactly one of seconds, factor and deltaSeconds is required"),
        ),
        ("deleteScene", {}, ("sceneIds", "is required")),
        ("deleteScene", {"sceneIds": [FIRST], "colour": "red"}, ("colour", "is not a known field")),
        ("addScene", {"instruction": "x" * 70_000}, ("", "the arguments are longer than 60000 bytes")),
    ],
)
def test_a_request_is_told_which_argument_breaks_which_rule(
    name: Any, arguments: dict[str, Any], issue: tuple[str, str]
) -> None:
    (found,) = broken_rules(RequestedTool(name=name, arguments=arguments))
    assert (found.field, found.rule) == issue


def test_a_request_that_only_the_project_can_refuse_breaks_no_rule() -> None:
    assert broken_rules(RequestedTool(name="deleteScene", arguments={"sceneIds": [MISSING]})) == ()


class TestWriting:
    def test_a_new_scene_gets_the_id_of_the_job(self) -> None:
        (work,) = call("addScene", instruction="A logo", after=FIRST, seconds=3).effects
        assert isinstance(work, WriteScene)
        assert (work.scene_id, work.base_version, work.after, work.seconds) == (NEW_SCENES[0], None, FIRST, 3)

    def test_an_edit_is_of_the_version_that_the_scene_has(self) -> None:
        (work,) = call("editScene", sceneId=THIRD, instruction="Darker").effects
        assert isinstance(work, WriteScene)
        assert (work.scene_id, work.base_version, work.name) == (THIRD, 3, "Outro")

    def test_a_plan_has_one_id_for_each_scene(self) -> None:
        (work,) = call("planScenes", instruction="A launch video", count=3, seconds=12).effects
        assert isinstance(work, WritePlan)
        assert work.scene_ids == NEW_SCENES[:3]

    def test_a_component_that_exists_is_written_again(self) -> None:
        (work,) = call("generateComponent", name="Counter", instruction="Count faster").effects
        assert isinstance(work, WriteComponent)
        assert work.base_version == 4

    def test_own_code_needs_no_instruction(self) -> None:
        (work,) = call("addScene", tsxCode=CODE, name="Mine", props={"title": "A"}).effects
        assert isinstance(work, WriteScene)
        assert (work.tsx_code, work.props) == (CODE, {"title": "A"})

    @pytest.mark.parametrize(
        ("name", "arguments", "code"),
        [
            ("addScene", {"instruction": "A", "after": MISSING}, "UNKNOWN_SCENE"),
            ("addScene", {"instruction": "A", "references": [MISSING]}, "UNKNOWN_SCENE"),
            ("addScene", {"instruction": "A", "imageUses": [{"imageId": NO_IMAGE}]}, "UNKNOWN_IMAGE"),
            ("addScene", {"instruction": "A", "seconds": 0.001}, "DURATION_OUT_OF_RANGE"),
            ("addScene", {"instruction": "A", "seconds": 301}, "DURATION_OUT_OF_RANGE"),
            ("addScene", {}, "INVALID_ARGUMENTS"),
            ("addScene", {"instruction": "A", "seconds": "5"}, "INVALID_ARGUMENTS"),
            ("addScene", {"instruction": "A", "seconds": 5}, None),
            ("addScene", {"instruction": "A", "colour": "red"}, "INVALID_ARGUMENTS"),
            ("addScene", {"instruction": "A" * 4_001}, "INVALID_ARGUMENTS"),
            ("editScene", {"sceneId": MISSING, "instruction": "A"}, "UNKNOWN_SCENE"),
            ("editScene", {"sceneId": FIRST, "instruction": "A", "baseVersion": 9}, "SCENE_CHANGED"),
            ("editScene", {"sceneId": "1", "instruction": "A"}, "INVALID_ARGUMENTS"),
            ("planScenes", {"instruction": "A", "count": 1}, "INVALID_ARGUMENTS"),
            ("planScenes", {"instruction": "A", "count": 9}, "INVALID_ARGUMENTS"),
            ("generateComponent", {"name": "counter", "instruction": "A"}, "INVALID_ARGUMENTS"),
            ("generateComponent", {"name": "Counter", "instruction": "A", "baseVersion": 3}, "COMPONENT_CHANGED"),
        ],
    )
    def test_a_call_that_cannot_be_done_says_why(self, name: str, arguments: dict[str, Any], code: str | None) -> None:
        outcome = call(name, **arguments)
        assert code_of(outcome) == code
        assert bool(outcome.effects) == (code is None)

    def test_a_full_project_takes_no_scene(self) -> None:
        full = facts(scenes=tuple(scene(at % 3) for at in range(MAX_SCENES)))
        assert code_of(call("addScene", full, instruction="A")) == "TOO_MANY_SCENES"
        assert code_of(call("planScenes", full, instruction="A", count=2)) == "TOO_MANY_SCENES"

    def test_own_code_of_40_kb_fits_and_70_kb_does_not(self) -> None:
        assert call("addScene", tsxCode="x" * 40_000).result.ok
        assert code_of(call("addScene", tsxCode="x" * 70_000)) == "INVALID_ARGUMENTS"

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
    def test_what_is_no_json_is_refused(self, value: Any) -> None:
        assert code_of(call("addScene", instruction="A", props={"x": value})) == "INVALID_ARGUMENTS"


class TestDeletion:
    def test_each_scene_is_removed_once_at_its_version(self) -> None:
        removed = call("deleteScene", sceneIds=[SECOND, FIRST, SECOND]).effects
        assert removed == (
            RemoveScene(scene_id=SECOND, base_version=2),
            RemoveScene(scene_id=FIRST, base_version=1),
        )

    def test_nothing_is_removed_if_one_is_missing(self) -> None:
        outcome = call("deleteScene", sceneIds=[FIRST, MISSING])
        assert (code_of(outcome), outcome.effects) == ("UNKNOWN_SCENE", ())
        assert outcome.result.error is not None
        assert outcome.result.error.hint == "scenes: 1 “Title”, 2 “Features”, 3 “Outro”"

    def test_at_least_one_scene_is_named(self) -> None:
        assert code_of(call("deleteScene", sceneIds=[])) == "INVALID_ARGUMENTS"


class TestDuration:
    @pytest.mark.parametrize(
        ("arguments", "frames", "rate"),
        [
            ({"mode": "trim", "seconds": 2}, 60, 1),
            ({"mode": "trim", "deltaSeconds": -1}, 60, 1),
            ({"mode": "trim", "factor": 0.5}, 45, 1),
            ({"mode": "trim", "seconds": 0.02}, 1, 1),
            ({"mode": "stretch", "seconds": 6}, 180, 0.5),
            ({"mode": "stretch", "factor": 0.5}, 45, 2),
            ({"mode": "retime", "factor": 1.5}, 90, 1.5),
            ({"mode": "retime", "seconds": 1.5}, 90, 2),
        ],
    )
    def test_length_and_speed(self, arguments: dict[str, Any], frames: int, rate: float) -> None:
        (put,) = call("changeDuration", sceneId=FIRST, **arguments).effects
        assert isinstance(put, PutScene)
        assert (put.draft.duration_in_frames, put.draft.playback_rate) == (frames, rate)
        assert (put.base_version, put.draft.props, put.draft.tsx_code) == (
            1,
            {"title": "Hello", "accent": "#1d4ed8"},
            CODE,
        )

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"mode": "trim", "seconds": 0}, "INVALID_ARGUMENTS"),
            ({"mode": "trim", "seconds": -1}, "INVALID_ARGUMENTS"),
            ({"mode": "trim", "seconds": 1e9}, "INVALID_ARGUMENTS"),
            ({"mode": "trim", "seconds": "5"}, "INVALID_ARGUMENTS"),
            ({"mode": "trim", "seconds": True}, "INVALID_ARGUMENTS"),
            ({"mode": "trim", "seconds": 301}, "DURATION_OUT_OF_RANGE"),
            ({"mode": "trim", "seconds": 0.001}, "DURATION_OUT_OF_RANGE"),
            ({"mode": "trim", "deltaSeconds": -3}, "DURATION_OUT_OF_RANGE"),
            ({"mode": "trim"}, "INVALID_ARGUMENTS"),
            ({"mode": "trim", "seconds": 1, "factor": 2}, "INVALID_ARGUMENTS"),
            ({"mode": "retime", "factor": 11}, "SPEED_OUT_OF_RANGE"),
            ({"mode": "retime", "deltaSeconds": 1}, "INVALID_ARGUMENTS"),
            ({"mode": "faster", "factor": 2}, "INVALID_ARGUMENTS"),
        ],
    )
    def test_what_no_scene_can_have_is_refused(self, arguments: dict[str, Any], code: str) -> None:
        assert code_of(call("changeDuration", sceneId=FIRST, **arguments)) == code

    def test_the_same_length_changes_nothing(self) -> None:
        outcome = call("changeDuration", sceneId=FIRST, mode="trim", seconds=3)
        assert (outcome.result.ok, outcome.effects) == (True, ())


def _patch(*ops: dict[str, Any]) -> Any:
    return call("applyPatch", ops=list(ops))


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


class TestPatch:
    def test_a_text_is_changed_and_all_else_stays(self) -> None:
        (put,) = _patch(_replace(f"/scenes/{FIRST}/props/title", "Welcome")).effects
        assert isinstance(put, PutScene)
        assert put.draft == scene(0, props={"title": "Welcome", "accent": "#1d4ed8"}).draft
        assert put.base_version == 1

    def test_title_and_format_are_the_projects(self) -> None:
        (changed,) = _patch(_replace("/title", "Other"), _replace("/format/fps", 60)).effects
        assert isinstance(changed, SetProject)
        assert (changed.title, changed.format and changed.format.fps) == ("Other", 60)

    @pytest.mark.parametrize(
        ("ops", "moves"),
        [
            ([{"op": "move", "from": "/order/2", "path": "/order/0"}], [(THIRD, "first")]),
            ([{"op": "move", "from": "/order/0", "path": "/order/-"}], [(FIRST, THIRD)]),
            ([_replace("/order", [SECOND, FIRST, THIRD])], [(SECOND, "first")]),
            ([_replace("/order", [THIRD, SECOND, FIRST])], [(THIRD, "first"), (SECOND, THIRD)]),
        ],
    )
    def test_the_order_is_changed_by_the_fewest_moves(self, ops: list[Any], moves: list[Any]) -> None:
        effects = _patch(*ops).effects
        assert [(each.scene_id, each.after) for each in effects if isinstance(each, MoveScene)] == moves

    def test_a_test_that_holds_lets_the_rest_pass(self) -> None:
        held = {"op": "test", "path": f"/scenes/{FIRST}/name", "value": "Title"}
        assert len(_patch(held, _replace(f"/scenes/{FIRST}/name", "Intro")).effects) == 1

    def test_nothing_is_changed_by_a_patch_to_the_same_values(self) -> None:
        outcome = _patch(_replace(f"/scenes/{FIRST}/props/title", "Hello"))
        assert (outcome.result.ok, outcome.effects) == (True, ())

    def test_true_is_not_1(self) -> None:
        known = facts(scenes=(scene(0, props={"n": 1}),))
        outcome = call("applyPatch", known, ops=[_replace(f"/scenes/{FIRST}/props/n", True)])
        assert len(outcome.effects) == 1

    @pytest.mark.parametrize(
        ("ops", "code", "said"),
        [
            ([_replace("/scenes/{0}/tsxCode", "x")], "READ_ONLY", "ops.0 (/scenes/{0}/tsxCode): tsxCode is read-only"),
            ([_replace("/scenes/{0}/version", 2)], "READ_ONLY", "version is read-only"),
            ([_replace("", {})], "READ_ONLY", "the whole document"),
            ([_replace("/scenes", {})], "READ_ONLY", "name one of them"),
            ([{"op": "remove", "path": "/scenes/{0}"}], "READ_ONLY", "deleteScene"),
            ([{"op": "add", "path": "/scenes/other", "value": {}}], "READ_ONLY", "addScene"),
            ([{"op": "move", "from": "/scenes/{0}", "path": "/title"}], "READ_ONLY", "deleteScene"),
            ([_replace("/owner", "eve")], "READ_ONLY", "title, format, order and scenes"),
            ([_replace("title", "x")], "PATCH_NOT_APPLICABLE", "ops.0 (title)"),
            ([_replace("/scenes/{0}/props/none/deep", 1)], "PATCH_NOT_APPLICABLE", "ops.0"),
            ([_replace("/title", "x"), {"op": "remove", "path": "/order/9"}], "PATCH_NOT_APPLICABLE", "ops.1"),
            ([{"op": "test", "path": "/title", "value": "x"}], "TEST_FAILED", "ops.0"),
            ([{"op": "add", "path": "/title"}], "PATCH_NOT_APPLICABLE", "ops.0"),
            ([{"op": "copy", "path": "/title"}], "PATCH_NOT_APPLICABLE", "ops.0"),
            ([{"op": "remove", "path": "/title"}], "INVALID_RESULT", "title"),
            ([{"op": "remove", "path": "/scenes/{0}/name"}], "INVALID_RESULT", "must not be removed"),
            ([_replace("/title", "")], "INVALID_RESULT", "title"),
            ([_replace("/title", None)], "INVALID_RESULT", "title"),
            ([_replace("/format", "wide")], "INVALID_RESULT", "format"),
            ([_replace("/title", "x" * 201)], "INVALID_RESULT", "title"),
            ([_replace("/format/fps", 0)], "INVALID_RESULT", "fps"),
            ([_replace("/scenes/{0}/durationInFrames", 0)], "INVALID_RESULT", "durationInFrames"),
            ([_replace("/scenes/{0}/durationInFrames", 9_001)], "INVALID_RESULT", "durationInFrames: must be less"),
            ([_replace("/scenes/{0}/durationInFrames", "5")], "INVALID_RESULT", "durationInFrames: must be a valid"),
            ([_replace("/scenes/{0}/durationInFrames", True)], "INVALID_RESULT", "durationInFrames: must be a valid"),
            ([_replace("/scenes/{0}/playbackRate", "2")], "INVALID_RESULT", "playbackRate: must be a valid number"),
            ([_replace("/format/width", 100.0)], "INVALID_RESULT", "width: must be a valid integer"),
            ([_replace("/title", " \n ")], "INVALID_RESULT", "title: must have at least 1 character"),
            ([_replace("/scenes/{0}/playbackRate", 0)], "INVALID_RESULT", "playbackRate"),
            ([_replace("/scenes/{0}/props", [])], "INVALID_RESULT", "props: must be an object"),
            ([_replace("/scenes/{0}/props", {"x": "y" * 59_000})] * 2, "INVALID_ARGUMENTS", ""),
            ([{"op": "remove", "path": "/order/0"}], "INVALID_RESULT", "every scene's id exactly once"),
            ([_replace("/order/0", "{1}")], "INVALID_RESULT", "exactly once"),
            ([_replace("/order", "abc")], "INVALID_RESULT", "exactly once"),
            ([{"op": "remove", "path": "/order"}], "INVALID_RESULT", "exactly once"),
            ([{"op": "spin", "path": "/title"}], "INVALID_ARGUMENTS", ""),
            ([], "INVALID_ARGUMENTS", ""),
            ([_replace("/title", "x")] * 51, "INVALID_ARGUMENTS", ""),
        ],
    )
    def test_a_patch_that_cannot_be_applied_names_its_operation(self, ops: list[Any], code: str, said: str) -> None:
        outcome = _patch(*(_with_ids(each) for each in ops))
        assert (code_of(outcome), outcome.effects) == (code, ())
        assert said.replace("{0}", FIRST) in outcome.result.summary

    def test_a_copy_bomb_is_stopped_at_the_operation_that_passes_the_limit(self) -> None:
        props = f"/scenes/{FIRST}/props"
        copies = [{"op": "copy", "from": props, "path": f"{props}/x{n}"} for n in range(20)]
        outcome = _patch({"op": "add", "path": f"{props}/a", "value": "y" * 1_000}, *copies)
        assert code_of(outcome) == "DOCUMENT_TOO_LARGE"
        assert "ops.8 " in outcome.result.summary

    def test_a_deep_value_is_refused(self) -> None:
        deep: Any = "leaf"
        for _ in range(40):
            deep = [deep]
        outcome = _patch({"op": "add", "path": f"/scenes/{FIRST}/props/deep", "value": deep})
        assert code_of(outcome) == "DOCUMENT_TOO_DEEP"

    def test_only_the_named_scenes_are_read(self) -> None:
        ops = [
            _replace(f"/scenes/{FIRST}/name", "A"),
            {"op": "copy", "from": f"/scenes/{THIRD}/props/text", "path": "/title"},
        ]
        assert drafts_needed(RequestedTool(name="applyPatch", arguments={"ops": ops})) == {FIRST, THIRD}


def _with_ids(op: Any) -> Any:
    if isinstance(op, dict):
        return {key: _with_ids(value) for key, value in op.items()}
    return op.replace("{0}", FIRST).replace("{1}", SECOND) if isinstance(op, str) else op


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_WORDS = st.sampled_from(
    ["sceneId", "sceneIds", "instruction", "count", "mode", "seconds", "factor", "ops", "name", "after", "tsxCode"]
)
_VALUES = _JSON | st.sampled_from([*SCENES, [FIRST], "trim", 2, [{"op": "remove", "path": "/order/0"}], "Counter"])


@given(st.sampled_from(TOOLBOX.names), st.dictionaries(_WORDS, _VALUES, max_size=4), st.booleans())
def test_any_call_has_an_outcome_and_always_the_same(name: Any, arguments: dict[str, Any], empty: bool) -> None:
    checked = check(RequestedTool(name=name, arguments=arguments))
    if isinstance(checked, ToolResult):
        assert not checked.ok
        return
    known = EMPTY if empty else facts()
    outcome = run(known, checked)
    assert outcome == run(known, checked)
    assert outcome.result.ok or not outcome.effects


_POINTERS = st.lists(
    st.sampled_from(["scenes", FIRST, SECOND, "props", "title", "order", "0", "-", "~1", "format", "fps"])
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
                "path": _POINTERS.map(lambda parts: "".join(f"/{each}" for each in parts)),
            },
            optional={"value": _JSON, "from": _POINTERS.map(lambda parts: "".join(f"/{each}" for each in parts))},
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_patch_is_applied_or_refused_and_never_breaks(ops: list[dict[str, Any]]) -> None:
    outcome = call("applyPatch", ops=ops)
    assert outcome.result.ok or (outcome.result.error is not None and not outcome.effects)


def test_an_agent_can_allow_each_tool() -> None:
    settings = AgentSettings(name="All", instructions="Everything.", allowed_tools=TOOLBOX.names)
    assert settings.allowed_tools == TOOLBOX.names
