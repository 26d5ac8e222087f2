"""The guard: from what a model decides to what is done, asked or answered."""

from __future__ import annotations

from typing import Any

import pytest

from shared.apps.video.brain.context import ChatContext
from shared.apps.video.brain.decision import Decision, calls_of, decision_schema
from shared.apps.video.brain.guard import ACT, MOST_EDITS, Verdict, judge
from shared.apps.video.writing_prompts import brief_schema, plan_schema
from tests.apps.video.chat_world import decision
from tests.apps.video.unit.facts_world import EMPTY, IMAGE, SCENES, facts, scene

FIRST, SECOND, THIRD = SCENES


def decided(tool: str, **fields: Any) -> Decision:
    return Decision.model_validate_json(decision(tool, **fields))


def verdict(text: str, tool: str, **fields: Any) -> Verdict:
    known = fields.pop("facts", facts())
    return judge(decided(tool, **fields), ChatContext(text=text, facts=known))


class TestActing:
    def test_a_sure_decision_is_done(self) -> None:
        done = verdict("bluer", "editScene", targets=[FIRST], reply="Blue it is.")
        assert [(each.name, each.arguments["sceneId"]) for each in done.calls] == [("editScene", FIRST)]
        assert (done.question, done.reply) == (None, "Blue it is.")

    def test_a_tool_of_one_scene_is_called_for_each_target(self) -> None:
        done = verdict("both shorter", "changeDuration", targets=[FIRST, THIRD, FIRST], mode="trim", seconds=2)
        assert [each.arguments for each in done.calls] == [
            {"sceneId": FIRST, "mode": "trim", "seconds": 2},
            {"sceneId": THIRD, "mode": "trim", "seconds": 2},
        ]

    @pytest.mark.parametrize("text", ["make all scenes faster", "every scene faster", "all the scenes faster"])
    def test_all_means_all_scenes_even_if_the_model_names_some(self, text: str) -> None:
        done = verdict(text, "changeDuration", targets=[FIRST], mode="retime", factor=1.5)
        assert [each.arguments["sceneId"] for each in done.calls] == list(SCENES)

    def test_both_means_both_in_a_project_of_two(self) -> None:
        two = facts(scenes=(scene(0), scene(1)))
        done = verdict("make both blue", "editScene", targets=[SECOND], facts=two)
        assert [each.arguments["sceneId"] for each in done.calls] == [FIRST, SECOND]

    def test_operations_have_values_of_json(self) -> None:
        operations = [
            {"op": "replace", "path": f"/scenes/{FIRST}/props/title", "from": None, "value": "Hello you"},
            {"op": "add", "path": f"/scenes/{FIRST}/props/count", "from": None, "value": "3"},
            {"op": "move", "path": "/order/0", "from": "/order/2", "value": None},
        ]
        done = verdict("…", "applyPatch", operations=operations)
        assert done.calls[0].arguments["ops"] == [
            {"op": "replace", "path": f"/scenes/{FIRST}/props/title", "value": "Hello you"},
            {"op": "add", "path": f"/scenes/{FIRST}/props/count", "value": 3},
            {"op": "move", "path": "/order/0", "from": "/order/2"},
        ]

    def test_what_the_project_does_not_have_is_left_out(self) -> None:
        uses = [{"imageId": "img_01k0000000000000000000000z", "use": "embed", "where": None}]
        done = verdict("x", "addScene", references=["scene 2", SECOND], imageUses=uses, after="scene 9")
        assert done.calls[0].arguments == {
            "instruction": "A scene about rivers",
            "imageUses": [],
            "references": [SECOND],
        }

    @pytest.mark.parametrize(
        ("text", "targets"),
        [
            ("delete scenes 1 and 3", [FIRST, THIRD]),
            ("the title and the outro can go", [FIRST, THIRD]),
            ("delete the first and the last one", [FIRST, THIRD]),
            ("delete everything", list(SCENES)),
            ("I don't like it, remove it", [SECOND]),
        ],
    )
    def test_deletions_that_the_message_names_are_done(self, text: str, targets: list[str]) -> None:
        assert verdict(text, "deleteScene", targets=targets).calls[0].arguments == {"sceneIds": targets}


class TestAsking:
    def test_an_unsure_decision_asks_with_ready_calls(self) -> None:
        rivals = [{"tool": "changeDuration", "confidence": 0.3}, {"tool": "deleteScene", "confidence": 0.2}]
        asked = verdict(
            "shorter?", "editScene", targets=[FIRST], mode="trim", seconds=2, confidence=ACT - 0.01, alternatives=rivals
        )
        assert (asked.calls, asked.why) == ((), "confidence")
        assert [each.label for each in asked.options] == [
            "Change scene 1 “Title”",
            "Set scene 1 “Title” to 2 seconds",
            "Delete scene 1 “Title”",
        ]
        assert asked.options[1].call.arguments == {"sceneId": FIRST, "mode": "trim", "seconds": 2}

    def test_a_close_rival_asks(self) -> None:
        rival = [{"tool": "deleteScene", "confidence": 0.75}]
        assert verdict("x", "editScene", targets=[FIRST], confidence=0.8, alternatives=rival).why == "margin"
        assert verdict("x", "editScene", targets=[FIRST], confidence=0.9, alternatives=rival).calls

    def test_a_missing_target_asks_which_scene(self) -> None:
        asked = verdict("make it blue", "editScene", targets=["scene 9"])
        assert (asked.question, asked.why) == ("Which scene do you mean?", "target")
        assert [each.call.arguments["sceneId"] for each in asked.options] == list(SCENES)

    @pytest.mark.parametrize("tool", ["editScene", "deleteScene", "changeDuration"])
    def test_an_empty_project_asks_for_the_first_scene(self, tool: str) -> None:
        asked = verdict("make it better", tool, instruction="Make it better", facts=EMPTY)
        assert asked.why == "empty"
        assert asked.options[0].call.name == "addScene"

    @pytest.mark.parametrize(
        ("names", "text", "literal"),
        [
            pytest.param(("a", "e"), "make it a bit rounder", False, id="letters that every text has"),
            pytest.param(("out", "end"), "calm the background outside", False, id="parts of words"),
            pytest.param(("a", "e"), 'delete "a" and \u201ee\u201c', True, id="short names in quotes"),
            pytest.param(("The  Logo", "End"), "remove the logo and end", True, id="whole names"),
        ],
    )
    def test_a_deletion_names_scenes_by_whole_words(self, names: tuple[str, str], text: str, literal: bool) -> None:
        """A scene's name may be an attack on the model: it must not make a deletion look as if the message named it."""
        known = facts(scenes=tuple(scene(at, name=name) for at, name in enumerate(names)))
        found = verdict(text, "deleteScene", targets=[FIRST, SECOND], facts=known)
        assert bool(found.calls) is literal
        assert (found.question is None) is literal

    def test_a_deletion_of_several_scenes_must_be_literal(self) -> None:
        asked = verdict("clean that up", "deleteScene", targets=[FIRST, SECOND])
        assert (asked.why, asked.question) == (
            "deletion",
            "Do you want to delete scene 1 “Title” and scene 2 “Features”?",
        )
        assert asked.options[0].call.arguments == {"sceneIds": [FIRST, SECOND]}

    def test_too_many_edits_ask_which_first(self) -> None:
        many = facts(scenes=tuple(scene(at % 3) for at in range(MOST_EDITS + 1)))
        five = [f"scn_01k0000000000000000000000a-{at}" for at in range(3)]
        assert verdict("all of it", "editScene", targets=five, facts=many).calls
        ids = tuple(f"scn_01k0000000000000000000000a-{at}" for at in range(10, 15))
        named = tuple(
            type(each)(each.entry.model_copy(update={"scene_id": scene_id}), each.draft)
            for each, scene_id in zip(many.scenes, ids, strict=True)
        )
        assert verdict("blue", "editScene", targets=list(ids), facts=facts(scenes=named)).why == "many"

    @pytest.mark.parametrize(
        ("tool", "fields", "said"),
        [
            ("changeDuration", {"targets": [FIRST], "mode": "trim", "seconds": 1e9}, "seconds"),
            ("changeDuration", {"targets": [FIRST], "mode": "retime", "factor": 50}, "times its speed"),
            ("changeDuration", {"targets": [FIRST]}, "mode"),
            ("applyPatch", {}, "ops"),
            ("planScenes", {"count": 1}, "count"),
            ("planScenes", {}, "count"),
            ("generateComponent", {"name": "counter"}, "name"),
            ("addScene", {"instruction": ""}, "instruction"),
        ],
    )
    def test_what_is_impossible_is_asked_about(self, tool: str, fields: dict[str, Any], said: str) -> None:
        asked = verdict("x", tool, **fields)
        assert (asked.why, asked.calls) == ("impossible", ())
        assert said in str(asked.question)

    def test_the_models_own_question_is_asked(self) -> None:
        asked = verdict("hm", "answer", question="What should it show?")
        assert (asked.question, asked.options) == ("What should it show?", ())


def test_the_schema_lets_a_model_name_scenes_and_images_of_the_project_only() -> None:
    schema = decision_schema(facts()).schema
    assert schema["properties"]["targets"]["items"]["enum"] == list(SCENES)
    assert schema["properties"]["after"]["anyOf"][0]["enum"] == [*SCENES, "first"]
    assert schema["$defs"]["WrittenImageUse"]["properties"]["imageId"]["enum"] == [IMAGE]
    empty = decision_schema(EMPTY).schema
    assert empty["properties"]["targets"]["maxItems"] == 0
    assert set(schema["required"]) == set(schema["properties"])


def test_what_a_model_writes_as_json_is_bounded() -> None:
    for schema in (decision_schema(facts()), decision_schema(EMPTY), brief_schema(), plan_schema()):
        assert schema.max_chars is not None


def test_no_call_follows_from_an_answer() -> None:
    assert calls_of(decided("answer"), facts()) == ()


class TestAllowedTools:
    """What an agent does that may choose some tools only."""

    def chosen(self, tool: str, **fields: Any) -> Verdict:
        context = ChatContext(text="…", facts=fields.pop("facts", facts()), allowed_tools=frozenset({"changeDuration"}))
        return judge(decided(tool, **fields), context)

    def test_another_tool_is_not_used_and_the_answer_says_so(self) -> None:
        told = self.chosen("deleteScene", targets=[FIRST])
        assert (told.calls, told.question, told.options) == ((), None, ())
        assert "may not use deleteScene; it may use: changeDuration" in told.reply

    def test_an_allowed_tool_is_used(self) -> None:
        done = self.chosen("changeDuration", targets=[FIRST], mode="trim", seconds=2)
        assert [each.name for each in done.calls] == ["changeDuration"]

    def test_no_option_of_a_question_is_another_tool(self) -> None:
        rivals = [{"tool": "deleteScene", "confidence": 0.5}]
        amount = {"mode": "trim", "seconds": 2, "confidence": 0.5}
        asked = self.chosen("changeDuration", targets=[FIRST], alternatives=rivals, **amount)
        assert [each.call.name for each in asked.options] == ["changeDuration"]
        empty = self.chosen("changeDuration", facts=EMPTY, **amount)
        assert (empty.options, "no scene yet" in (empty.question or "")) == ((), True)

    def test_the_schema_has_the_allowed_tools_only(self) -> None:
        schema = decision_schema(facts(), {"changeDuration", "read_range"}).schema
        assert schema["properties"]["tool"]["enum"] == ["changeDuration", "answer"]
        assert schema["$defs"]["Alternative"]["properties"]["tool"]["enum"] == ["changeDuration"]

    def test_a_model_without_any_tool_can_answer_only(self) -> None:
        schema = decision_schema(facts(), set()).schema
        assert schema["properties"]["tool"]["enum"] == ["answer"]
        assert schema["properties"]["alternatives"]["maxItems"] == 0
