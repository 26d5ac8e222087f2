"""The three stages before saving: what is decided, written and built, what is kept, and what is asked again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.agents.agent import AgentSettings
from shared.apps.video.changes import PutComponent, PutScene, RemoveScene
from shared.apps.video.image_store import ImageStatus
from shared.apps.video.models import Option, RequestedTool
from shared.errors import ChangeRefused, InvalidModelOutput, JobEnded, ModelDisconnected, ModelUnavailable, SceneChanged
from shared.jobs.store import JobGuard
from shared.llm.model import ImagePart
from shared.log.events import Item, Reset, Tool
from tests.apps.video.chat_world import CODE, IMAGE, NAMES, VideoWorld, brief, decision
from tests.apps.video.projects_world import put, write_of
from tests.fakes.model import ResumableModel, ScriptedModel

BROKEN = CODE.replace("Hi", "fps_undefined")
ADD = decision()
BRIEF = json.dumps(brief())


@pytest.fixture
def world() -> VideoWorld:
    return VideoWorld()


def edit(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE"


def put_in(answer: Any, index: int = 0) -> PutScene:
    change = answer.changes[index].change
    assert isinstance(change, PutScene)
    return change


class TestDecide:
    def test_a_rule_asks_no_model(self, world: VideoWorld) -> None:
        plan = world.decide(world.new_job("delete scene 2"))
        assert (plan.outcome, plan.choice.source, plan.revision) == ("changed", "rule", 2)
        assert plan.calls == (RequestedTool(name="deleteScene", arguments={"sceneIds": [world.scene_ids[1]]}),)

    def test_the_model_is_told_of_the_project_and_decides(self, world: VideoWorld) -> None:
        world.changed("I made the outro blue.", "editScene", world.scene_ids[2])
        world.preferences = {"brandColour": "#1d4ed8"}
        job = world.new_job("now a scene about rivers", sceneIds=[world.scene_ids[0]])
        model = ScriptedModel(ADD)
        plan = world.decide(job, model)
        assert (plan.choice.tool, plan.choice.source, plan.choice.confidence) == ("addScene", "model", 0.9)
        told = json.loads(model.requests[0].messages[1].text.split("\n", 1)[1])
        assert [each["name"] for each in told["scenes"]] == list(NAMES)
        assert told["scenes"][0]["props"] == {"title": "Title"}
        assert (told["attachedScenes"], told["lastChanged"]) == ([world.scene_ids[0]], [world.scene_ids[2]])
        assert told["history"][-1]["tool"] == "editScene"
        assert told["preferences"] == {"brandColour": "#1d4ed8"}
        assert "AbsoluteFill" not in model.requests[0].messages[1].text
        assert model.requests[0].temperature == 0

    def test_watchers_see_that_a_model_is_asked_and_what_it_decided(self, world: VideoWorld) -> None:
        job = world.new_job("a scene about rivers")
        world.decide(job, ScriptedModel(ADD))
        begun, ended = (each for each in world.core.events(job) if isinstance(each, Tool))
        assert (begun.status, ended.status, ended.name) == ("started", "finished", "addScene")
        assert (ended.detail["confidence"], ended.detail["source"]) == (0.9, "model")
        (item,) = (each for each in world.core.events(job) if isinstance(each, Item))
        assert item.key == "decision"

    def test_an_equal_message_about_an_equal_project_is_decided_from_the_cache(self, world: VideoWorld) -> None:
        world.decide(world.new_job("a scene about rivers"), ScriptedModel(ADD))
        other = VideoWorld()
        other.cache, other.project, other.projects = world.cache, world.project, world.projects
        other.reading = world.reading
        # The chat has one message more now, so an equal chat needs an equal history.
        world.projects._messages.clear()
        plan = world.decide(world.new_job("a  scene about rivers"))
        assert plan.choice.source == "cache"
        assert world.counted == [(0, 1), (1, 0)]

    def test_a_rule_does_not_use_a_tool_that_the_agent_may_not_use(self, world: VideoWorld) -> None:
        settings = AgentSettings(name="Timing", instructions="Lengths only.", allowed_tools=("changeDuration",))
        agent = world.core.agent_service.create("ada", settings)

        refused = world.decide(world.new_job("delete scene 2", agent=agent.ref))
        done = world.decide(world.new_job("make scene 2 faster", agent=agent.ref))

        assert (refused.outcome, refused.calls, refused.choice.source) == ("answered", (), "rule")
        assert "may not use deleteScene" in refused.reply
        assert [each.name for each in done.calls] == ["changeDuration"]

    def test_a_changed_project_is_decided_again(self, world: VideoWorld) -> None:
        job = world.new_job("a scene about rivers")
        world.decide(job, ScriptedModel(ADD))
        world.projects._messages.clear()
        world.preferences = {"language": "German"}
        assert world.decide(world.new_job("a scene about rivers"), ScriptedModel(ADD)).choice.source == "model"

    def test_a_client_that_calls_a_tool_decides_itself(self, world: VideoWorld) -> None:
        call = {"name": "deleteScene", "arguments": {"sceneIds": [world.scene_ids[0]]}}
        plan = world.decide(world.new_job("Delete", tool=call))
        assert (plan.choice.source, plan.choice.confidence, len(plan.calls)) == ("direct", 1, 1)

    @pytest.mark.parametrize(
        ("arguments", "fault"),
        [
            ({"instruction": "A", "baseVersion": 9}, SceneChanged),
            ({"instruction": "A", "references": ["scn_01k0000000000000000000000z-0"]}, ChangeRefused),
            ({"colour": "red"}, ChangeRefused),
        ],
    )
    def test_a_clients_call_that_cannot_be_done_fails_the_job(
        self, world: VideoWorld, arguments: dict[str, Any], fault: type[Exception]
    ) -> None:
        call = {"name": "editScene", "arguments": {"sceneId": world.scene_ids[0], **arguments}}
        with pytest.raises(fault):
            world.decide(world.new_job("Edit", tool=call))

    @pytest.mark.parametrize("text", ["Delete the title", "delete THE title.", "1"])
    def test_the_answer_to_a_question_is_its_option(self, world: VideoWorld, text: str) -> None:
        call = RequestedTool(name="deleteScene", arguments={"sceneIds": [world.scene_ids[0]]})
        asked = world.ask("Which one?", Option(label="Delete the title", call=call))
        plan = world.decide(world.new_job(text, answerTo=asked.id))
        assert (plan.choice.source, plan.calls) == ("option", (call,))
        assert world.decide(world.new_job(text, answerTo=asked.id)).choice.source == "option"

    def test_a_question_is_asked_with_ready_calls(self, world: VideoWorld) -> None:
        unsure = decision("editScene", targets=[world.scene_ids[0]], instruction="Blue", confidence=0.5)
        answer = world.answer("blue", unsure)
        assert (answer.outcome, answer.changes) == ("asked", ())
        assert [each.label for each in answer.options] == ["Change scene 1 “Title”"]
        assert answer.options[0].call.name == "editScene"

    def test_what_changes_nothing_is_answered(self, world: VideoWorld) -> None:
        answer = world.answer("thanks!", decision("answer", reply="You are welcome."))
        assert (answer.outcome, answer.reply, answer.choice.tool) == ("answered", "You are welcome.", None)

    def test_an_invalid_decision_is_repaired_once(self, world: VideoWorld) -> None:
        model = ScriptedModel(decision(confidence=7), ADD)
        assert world.decide(world.new_job("rivers"), model).choice.tool == "addScene"
        assert "confidence" in model.requests[1].messages[-1].text

    def test_a_decision_that_stays_invalid_fails_the_job(self, world: VideoWorld) -> None:
        with pytest.raises(InvalidModelOutput, match="decision"):
            world.decide(world.new_job("rivers"), ScriptedModel("I would add a scene.", "Sure!"))

    def test_the_images_of_the_message_reach_the_model(self, world: VideoWorld) -> None:
        model = ScriptedModel(ADD)
        world.decide(world.new_job("use this", imageIds=[world.add_image()]), model)
        content = model.requests[0].messages[1].content
        assert isinstance(content, tuple)
        assert isinstance(content[1], ImagePart)

    def test_a_retry_decides_as_the_attempt_before(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        first = world.decide(job, ScriptedModel(ADD))
        world.core.jobs.update(job.id, {"checkpoints": {}}, when=_always())
        assert world.decide(job, retry=1) == first

    def test_a_plan_that_is_too_large_for_an_item_is_decided_from_the_cache_by_a_retry(self, world: VideoWorld) -> None:
        paths = [f"/scenes/{world.scene_ids[0]}/props/p{n}" for n in range(14)]
        operations = [{"op": "add", "path": path, "from": None, "value": "ü" * 2_085} for path in paths]
        job = world.new_job("new texts")
        first = world.decide(job, ScriptedModel(decision("applyPatch", operations=operations)))
        assert (first.outcome, len(first.calls)) == ("changed", 1)
        assert [each.key for each in world.core.events(job) if isinstance(each, Item)] == []
        world.core.jobs.update(job.id, {"checkpoints": {}}, when=_always())
        assert world.decide(job, retry=1).calls == first.calls

    def test_the_job_of_a_deleted_project_ends(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        world.projects.hide(world.project)
        with pytest.raises(JobEnded):
            world.decide(job)

    def test_a_wish_that_holds_for_all_is_learned(self, world: VideoWorld) -> None:
        wish = decision("answer", preferences=[{"key": "font", "value": "serif"}], reply="Noted.")
        assert world.answer("always use serif", wish).learned[0].key == "font"


class TestBrief:
    def test_a_new_scene_gets_a_brief_that_is_kept(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        world.decide(job, ScriptedModel(ADD))
        (component,) = world.brief(job, ScriptedModel(BRIEF)).components
        assert (component.name, component.order, component.brief.props) == ("Rivers", 4, {"title": "Rivers"})
        assert world.component_stages(job) == [
            ("component-1", "brief", "started", 0, False),
            ("component-1", "brief", "finished", 25, False),
        ]

    @pytest.mark.parametrize("text", ["delete scene 2", "make scene 2 faster", 'rename scene 1 to "A"'])
    def test_what_needs_no_code_needs_no_brief(self, world: VideoWorld, text: str) -> None:
        job = world.new_job(text)
        world.decide(job)
        assert world.brief(job).components == ()

    def test_a_plan_is_one_call_for_all_scenes(self, world: VideoWorld) -> None:
        job = world.new_job("a 12 second video")
        world.decide(job, ScriptedModel(decision("planScenes", count=3, seconds=12)))
        plan = json.dumps({"scenes": [brief(f"S{n}", seconds=2) for n in range(3)]})
        components = world.brief(job, ScriptedModel(plan)).components
        assert [each.brief.seconds for each in components] == [4, 4, 4]
        assert [each.order for each in components] == [4, 5, 6]

    def test_a_plan_with_too_few_scenes_is_repaired(self, world: VideoWorld) -> None:
        job = world.new_job("a video")
        world.decide(job, ScriptedModel(decision("planScenes", count=2)))
        plans = [json.dumps({"scenes": [brief(f"S{n}") for n in range(count)]}) for count in (1, 2)]
        model = ScriptedModel(*plans)
        assert len(world.brief(job, model).components) == 2
        assert "exactly 2" in model.requests[1].messages[-1].text

    def test_a_retry_asks_for_no_brief_that_is_kept(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        world.decide(job, ScriptedModel(ADD))
        first = world.brief(job, ScriptedModel(BRIEF))
        world.core.jobs.update(job.id, {"checkpoints": _without(world, job.id, "brief_scenes")}, when=_always())
        assert world.brief(job, retry=1) == first


class TestMake:
    def test_a_new_scene_is_written_built_and_handed_on(self, world: VideoWorld) -> None:
        answer = world.answer("rivers", ADD, BRIEF, f"```tsx\n{CODE}```")
        put = put_in(answer)
        assert (answer.outcome, answer.summary) == ("changed", "Add “Rivers”")
        assert (put.base_version, put.after, put.draft.name, put.draft.tsx_code) == (None, None, "Rivers", CODE)
        assert (put.draft.duration_in_frames, put.draft.props) == (120, {"title": "Rivers"})
        assert answer.changes[0].build is not None
        assert world.builder.requests[0].components == {"Counter": _component_js(world)}

    def test_eight_steps_are_told_of_a_component(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        model = ScriptedModel(ADD, BRIEF, CODE)
        for stage in (world.decide, world.brief, world.make):
            stage(job, model)
        result = world.save(job)
        assert (result.revision, result.changes[0].name) == (3, "Rivers")
        assert world.component_stages(job) == [
            ("component-1", stage, status, percent, False)
            for stage, status, percent in (
                ("brief", "started", 0),
                ("brief", "finished", 25),
                ("code", "started", 25),
                ("code", "finished", 50),
                ("build", "started", 50),
                ("build", "finished", 75),
                ("upload", "started", 75),
                ("upload", "finished", 100),
            )
        ]
        items = [each for each in world.core.events(job) if isinstance(each, Item)]
        scene = f"scene-{result.changes[0].id}"
        assert [each.key for each in items] == ["decision", "brief-1", "code-1", "build-1", scene]
        assert items[-2].data["jsCode"].startswith("/* js */")
        assert world.core.transcript(job).text == CODE + "\n"

    def test_all_that_is_told_of_a_scene_has_one_key(self, world: VideoWorld) -> None:
        result = world.result("rivers", ADD, BRIEF, CODE)
        scene_id = result.changes[0].id
        told = world.scene_statuses(world.last_job)
        assert [each.status for each in told] == ["planned", "writing", "building", "playable", "saved"]
        assert {(each.key, each.scene_id) for each in told} == {(f"scene-{scene_id}", scene_id)}
        stages = [each for each in world.core.events(world.last_job) if each.type == "componentStage"]
        assert {each.model_dump()["sceneId"] for each in stages} == {scene_id}

    def test_a_changed_scene_keeps_its_key(self, world: VideoWorld) -> None:
        world.result('change the title of scene 1 to "Yo"')
        told = world.scene_statuses(world.last_job)
        assert [each.status for each in told] == ["building", "playable", "saved"]
        assert {each.key for each in told} == {f"scene-{world.scene_ids[0]}"}

    def test_code_of_another_script_is_as_long_as_its_utf_8(self, world: VideoWorld) -> None:
        comment = "// " + "流" * 11_000
        answer = world.answer("rivers", ADD, BRIEF, f"```tsx\n{CODE}{comment}\n```")
        assert put_in(answer).draft.tsx_code.endswith(f"{comment}\n")
        items = {each.key: each.data for each in world.core.events(world.last_job) if isinstance(each, Item)}
        assert comment in items["build-1"]["jsCode"]

    def test_an_edit_changes_one_place_and_keeps_all_else(self, world: VideoWorld) -> None:
        target = decision("editScene", targets=[world.scene_ids[0]], instruction="Say Welcome")
        answer = world.answer("say welcome", target, edit('title = "Hi"', 'title = "Welcome"'))
        put = put_in(answer)
        assert put.draft.tsx_code == CODE.replace("Hi", "Welcome")
        assert (put.base_version, put.draft.name, put.draft.props) == (2, "Title", {"title": "Title"})
        assert answer.summary == "Change scene 1 “Title”"
        assert any("The present code" in each.text for each in world.model.requests[1].messages)

    def test_an_edit_may_give_props_new_values(self, world: VideoWorld) -> None:
        target = decision("editScene", targets=[world.scene_ids[0]])
        replaced = edit("export default", '// props: {"title": "New", "sub": "More"}\nexport default')
        assert put_in(world.answer("x", target, replaced)).draft.props == {"title": "New", "sub": "More"}

    def test_several_scenes_are_edited_in_one_revision(self, world: VideoWorld) -> None:
        targets = decision("editScene", targets=world.scene_ids[:2])
        answer = world.answer("scenes 1 and 2 in blue", targets, edit("Hi", "A"), edit("Hi", "B"))
        assert [put_in(answer, n).scene_id for n in (0, 1)] == list(world.scene_ids[:2])

    def test_a_component_is_written(self, world: VideoWorld) -> None:
        answer = world.answer("a clock", decision("generateComponent", name="Clock"), CODE)
        change = answer.changes[0].change
        assert isinstance(change, PutComponent)
        assert (change.name, change.base_version) == ("Clock", None)
        assert world.builder.requests[0].is_component

    def test_deletion_and_speed_and_texts_need_no_model(self, world: VideoWorld) -> None:
        removed = world.answer("delete scene 1").changes[0].change
        assert isinstance(removed, RemoveScene)
        assert put_in(world.answer("make scene 2 faster")).draft.playback_rate == 1.5
        assert put_in(world.answer('change the title of scene 1 to "Yo"')).draft.props == {"title": "Yo"}
        assert len(world.builder.requests) == 2

    def test_a_new_name_needs_no_build_and_a_shorter_scene_neither(self, world: VideoWorld) -> None:
        world.answer('rename scene 1 to "A"')
        world.answer("make scene 1 2 seconds")
        assert world.builder.requests == []

    def test_values_that_a_scene_does_not_play_with_are_refused(self, world: VideoWorld) -> None:
        path = f"/scenes/{world.scene_ids[0]}/props/count"
        call = {"name": "applyPatch", "arguments": {"ops": [{"op": "add", "path": path, "value": "NaN"}]}}
        with pytest.raises(ChangeRefused, match="line 1, column 1: NaN in a style"):
            world.answer("Patch", tool=call)

    def test_own_code_is_built_as_it_is(self, world: VideoWorld) -> None:
        call = {"name": "addScene", "arguments": {"tsxCode": CODE, "name": "Mine"}}
        put = put_in(world.answer("Own", tool=call))
        assert (put.draft.tsx_code, put.draft.name) == (CODE, "Mine")

    def test_own_code_that_does_not_build_is_refused_with_every_error(self, world: VideoWorld) -> None:
        call = {"name": "addScene", "arguments": {"tsxCode": BROKEN + "// duplicate\n", "name": "Mine"}}
        with pytest.raises(ChangeRefused) as refused:
            world.answer("Own", tool=call)
        assert "line 2, column 42: fps is not defined" in refused.value.message
        assert "line 5, column 4: Headline is already declared" in refused.value.message

    def test_the_images_that_the_code_shows_are_told(self, world: VideoWorld) -> None:
        world.add_image()
        use = [{"imageId": IMAGE, "use": "embed", "where": None}]
        code = CODE.replace("{title}", f'<Img image="{IMAGE}" />')
        answer = world.answer("use it", decision(imageUses=use), BRIEF, code, imageIds=[IMAGE])
        assert answer.images_used == (IMAGE,)
        assert put_in(answer).draft.images == (IMAGE,)
        assert all(isinstance(each.messages[-1].content, tuple) for each in world.model.requests)

    def test_an_image_that_is_not_ready_is_not_used(self, world: VideoWorld) -> None:
        world.add_image(status=ImageStatus.PENDING)
        use = [{"imageId": IMAGE, "use": "embed", "where": None}]
        world.answer("use it", decision(imageUses=use), BRIEF, CODE)
        assert "img_" not in world.model.requests[2].messages[-1].text


class TestRepair:
    def test_broken_code_is_repaired_once_and_the_model_is_told_every_error(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        model = ScriptedModel(ADD, BRIEF, BROKEN + "// duplicate\n", CODE)
        for stage in (world.decide, world.brief):
            stage(job, model)
        answer = world.make(job, model)
        assert put_in(answer).draft.tsx_code == CODE
        told = model.requests[-1].messages[-1].text
        assert "line 2, column 42: fps is not defined (broken)" in told
        assert "line 5, column 4: Headline is already declared (broken)" in told
        assert "   2 export default" in told
        reset = next(each for each in world.core.events(job) if isinstance(each, Reset))
        assert (reset.reason, reset.text) == ("REPAIR", "")
        assert [each[1:] for each in world.component_stages(job)][4:] == [
            ("build", "started", 50, False),
            ("build", "failed", 50, False),
            ("code", "started", 25, True),
            ("code", "finished", 50, True),
            ("build", "started", 50, True),
            ("build", "finished", 75, False),
        ]

    @pytest.mark.parametrize(
        ("output", "said"),
        [
            ("I cannot do that.", "no code"),
            ("```tsx\nexport default 1", "cut off"),
            ("```tsx\na\n```\nand\n```tsx\nb\n```", "several blocks"),
            ("", "no code"),
            (edit("x", "y"), "nothing-to-edit"),
            ("export default " + "x" * 61_000, "too long"),
        ],
    )
    def test_an_output_without_code_is_repaired(self, world: VideoWorld, output: str, said: str) -> None:
        answer = world.answer("rivers", ADD, BRIEF, output, CODE)
        assert put_in(answer).draft.tsx_code == CODE
        assert said in world.model.requests[-1].messages[-1].text

    @pytest.mark.parametrize(("search", "count"), [("nowhere", 0), ("AbsoluteFill", 3), ("", 0)])
    def test_an_edit_that_does_not_match_once_is_repaired(self, world: VideoWorld, search: str, count: int) -> None:
        target = decision("editScene", targets=[world.scene_ids[0]])
        answer = world.answer("x", target, edit(search, "y"), CODE.replace("Hi", "Repaired"))
        assert "Repaired" in put_in(answer).draft.tsx_code
        assert f"edit 1 matches {count} places" in world.model.requests[-1].messages[-1].text

    def test_after_a_second_failure_the_job_fails_with_line_and_column(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        model = ScriptedModel(ADD, BRIEF, BROKEN, BROKEN)
        for stage in (world.decide, world.brief):
            stage(job, model)
        with pytest.raises(InvalidModelOutput, match=r"“Rivers”.*line 2, column 42: fps is not defined"):
            world.make(job, model)
        assert world.projects.get(world.project.id) == world.project
        assert world.component_stages(job)[-1][1:3] == ("build", "failed")

    def test_a_resumed_job_writes_the_code_again_and_keeps_the_rest(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        for stage, model in ((world.decide, ScriptedModel(ADD)), (world.brief, ScriptedModel(BRIEF))):
            stage(job, model)
        with pytest.raises(InvalidModelOutput):
            world.make(job, ScriptedModel(BROKEN, BROKEN))
        model = ScriptedModel(CODE)
        assert put_in(world.make(job, model, retry=1)).draft.tsx_code == CODE
        assert len(model.requests) == 1


class TestRetries:
    def ready(self, world: VideoWorld) -> Any:
        job = world.new_job("two scenes")
        plan = json.dumps({"scenes": [brief("One"), brief("Two")]})
        model = ScriptedModel(decision("planScenes", count=2), plan)
        world.decide(job, model)
        world.brief(job, model)
        return job

    def test_a_retry_asks_for_what_is_missing_only(self, world: VideoWorld) -> None:
        job = self.ready(world)
        with pytest.raises(ModelUnavailable):
            world.make(job, ScriptedModel(CODE, ("export default fun", ModelUnavailable("down"))))
        built = len(world.builder.requests)
        model = ScriptedModel(CODE.replace("Hi", "Two"))
        answer = world.make(job, model, retry=1)
        assert [put_in(answer, n).draft.name for n in (0, 1)] == ["One", "Two"]
        assert (len(model.requests), len(world.builder.requests) - built) == (1, 1)
        assert put_in(answer, 0).after is None
        assert put_in(answer, 1).after == put_in(answer, 0).scene_id
        assert world.core.transcript(job).text == f"{CODE}\n{CODE.replace('Hi', 'Two')}\n"

    def test_a_retry_reads_the_response_on_that_was_left_running(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        world.decide(job, ScriptedModel(ADD))
        world.brief(job, ScriptedModel(BRIEF))
        model = ResumableModel(CODE, 40)
        with pytest.raises(ModelDisconnected):
            world.make(job, model)
        assert put_in(world.make(job, model, retry=1)).draft.tsx_code == CODE
        assert model.responses == 1
        assert world.core.transcript(job).text == CODE + "\n"

    def test_a_retry_in_the_repair_repairs_again(self, world: VideoWorld) -> None:
        job = world.new_job("rivers")
        world.decide(job, ScriptedModel(ADD))
        world.brief(job, ScriptedModel(BRIEF))
        with pytest.raises(ModelUnavailable):
            world.make(job, ScriptedModel(BROKEN, ("expo", ModelUnavailable("down"))))
        model = ScriptedModel(CODE)
        assert put_in(world.make(job, model, retry=1)).draft.tsx_code == CODE
        assert "fps is not defined" in model.requests[0].messages[-1].text

    def test_a_later_revision_does_not_change_what_a_job_makes(self, world: VideoWorld) -> None:
        target = decision("editScene", targets=[world.scene_ids[0]])
        job = world.new_job("say welcome")
        world.decide(job, ScriptedModel(target))
        world.brief(job)
        changed = put(world.scene_ids[0], name="Other", base=2, tsx_code="export default 1")
        world.projects.save(write_of(world.project, changed))
        answer = world.make(job, ScriptedModel(edit("Hi", "Welcome")))
        assert (put_in(answer).base_version, answer.base_revision) == (2, 2)
        assert "Welcome" in put_in(answer).draft.tsx_code


def _component_js(world: VideoWorld) -> str:
    version = world.projects.components(world.project.id, [("Counter", 2)])["Counter", 2]
    return version.build.js_code


def _always() -> Any:
    return JobGuard()


def _without(world: VideoWorld, job_id: str, stage: str) -> Any:
    return {key: ref for key, ref in world.core.job(job_id).checkpoints.items() if key != stage}
