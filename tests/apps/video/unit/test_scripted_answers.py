"""The scripted model's answers in a video chat: valid, about what the prompt names, and broken as directed."""

from __future__ import annotations

import pytest

from local.model.answers.video import answer
from local.model.scene_decisions import decided
from shared.apps.video.changes import PutScene
from shared.apps.video.code_text import NoCode, code_in
from shared.apps.video.component import Brief
from shared.apps.video.tools.effects import ImageUse, WriteScene
from shared.apps.video.writing_prompts import code_messages, edit_messages, repair_messages
from shared.llm.model import ImagePart, Message, ModelRequest
from tests.apps.video.chat_world import VideoWorld
from tests.apps.video.scripted_model import ScriptedVideoModel, prompt_of
from tests.apps.video.unit.facts_world import IMAGE, NEW_SCENES, SCENES, facts
from tests.fakes.png import png_of

KINDS = ("title", "list", "bars", "counter", "quote", "timeline", "split", "logo")


def written(messages: tuple[Message, ...]) -> str:
    text = answer(prompt_of(ModelRequest("scripted-1", messages)))
    assert isinstance(text, str)
    return text


def new_scene(instruction: str = "A scene", *, kind: str = "title", **fields: object) -> tuple[Message, ...]:
    uses = (ImageUse(image_id=IMAGE),) if kind == "logo" else ()
    work = WriteScene(scene_id=NEW_SCENES[0], instruction=instruction, image_uses=uses)
    brief = Brief(name="New", purpose="", seconds=3, elements=(kind,), props={"title": 'Say "hi"', **fields})
    return code_messages(facts(), work, brief, ())


def test_the_first_message_of_the_page_adds_a_scene() -> None:
    """docs/video.md sends it to an empty project."""
    assert decided({"message": "Add a title scene that says Tidewater", "scenes": []})["tool"] == "addScene"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_scene_is_filled_from_the_brief(kind: str) -> None:
    code = code_in(written(new_scene(kind=kind, accent="#123456", points=["One", "Two", "Three"])), None)
    assert '"Say \\"hi\\""' in code
    assert "#123456" in code
    assert "{{" not in code.replace("={{", "").replace("style={{", "")
    assert (f'image="{IMAGE}"' in code) == (kind == "logo")


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("undefined_name", "undefinedName"),
        ("duplicate", "const Headline = 2"),
        ("syntax", "</AbsoluteFil>"),
        ("loop", "while (true)"),
        ("network", "fetch("),
    ],
)
def test_code_is_broken_as_the_message_says_and_right_when_it_is_repaired(kind: str, sign: str) -> None:
    prompt = new_scene(f"A scene [[code: {kind}]]")
    assert sign in code_in(written(prompt), None)
    assert sign not in code_in(written(repair_messages(prompt, "x", ())), None)
    twice = new_scene(f"A scene [[code: {kind}, twice]]")
    assert sign in code_in(written(repair_messages(twice, "x", ())), None)


@pytest.mark.parametrize("kind", ["prose", "truncated"])
def test_an_answer_may_have_no_whole_code(kind: str) -> None:
    with pytest.raises(NoCode):
        code_in(written(new_scene(f"A scene [[code: {kind}]]")), None)


def test_an_edit_changes_one_constant_and_its_prop() -> None:
    known = facts()
    target = known.scenes[0]
    assert target.draft is not None
    code = code_in(written(new_scene(accent="#123456")), None)
    draft = target.draft.model_copy(update={"tsx_code": code})
    known = facts(scenes=(type(target)(target.entry, draft),))
    work = WriteScene(scene_id=SCENES[0], base_version=1, instruction="Make it red")
    brief = Brief(name="Title", purpose="", seconds=3, props=draft.props)
    edited = code_in(written(edit_messages(known, work, brief, ())), code)
    assert edited.replace("#dc2626", "#123456").replace('// props: {"accent": "#123456"}\n', "") == code
    bad = work.model_copy(update={"instruction": "Make it red [[code: bad_edit]]"})
    with pytest.raises(NoCode):
        code_in(written(edit_messages(known, bad, brief, ())), code)


def test_a_whole_video_is_made_from_one_sentence_and_an_image() -> None:
    world = VideoWorld()
    world.add_image()
    job = world.new_job("a 12 second launch video for Tidewater in three scenes")
    model = ScriptedVideoModel()
    world.decide(job, model)
    components = world.brief(job, model).components
    assert [each.brief.seconds for each in components] == [4, 4, 4]
    answer_ = world.make(job, model)
    names = [each.change.draft.name for each in answer_.changes if isinstance(each.change, PutScene)]
    assert names == ["Title", "List 2", "Split 3"]
    titles = {each.brief.props["title"] for each in components}
    assert titles == {"Tidewater"}


def test_the_colour_of_an_image_comes_back_so_that_the_image_has_arrived() -> None:
    world = VideoWorld()
    image_id = world.add_image()
    answer_ = world.answer_with(ScriptedVideoModel(), "add a scene with this logo", imageIds=[image_id])
    change = answer_.changes[0].change
    assert isinstance(change, PutScene)
    assert (change.draft.props["accent"], change.draft.images) == ("#ff0000", (image_id,))
    assert png_of(255, 0, 0) == world.reading.picture(world.new_job("x"), image_id).data
    assert isinstance(world.reading.picture(world.new_job("x"), image_id), ImagePart)


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("please get rid of the third one", "deleteScene"),
        ("scene 2 a bit faster please, it drags", "changeDuration"),
        ("I would like a new scene with our prices", "addScene"),
        ("the title should say “Hi there”", "applyPatch"),
        ("more contrast in scene 1", "editScene"),
        ("a reusable badge component", "generateComponent"),
        ("a promo video for Kiel", "planScenes"),
        ("thanks a lot", None),
    ],
)
def test_keywords_decide_with_a_valid_decision(text: str, tool: str | None) -> None:
    world = VideoWorld()
    plan = world.decide(world.new_job(text, sceneIds=[world.scene_ids[0]]), ScriptedVideoModel())
    assert plan.choice.tool == tool
    assert plan.choice.source == "model"
