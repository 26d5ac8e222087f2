"""Tools and images through both adapters, the real SDK and real HTTP, against the scripted model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from local.model.control import ModelControl
from shared.errors import ModelDisconnected, ModelRejectedRequest
from shared.llm.model import (
    ChatModel,
    Finished,
    ImagePart,
    Message,
    ModelRequest,
    OneTool,
    Piece,
    TextPart,
    ToolCall,
    ToolCalled,
)
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.prices import ModelPrice
from tests.fakes.png import png_of
from tests.llm.model_calls import TOOLS, answer, calls_of, collect, fault, text_of

PLAN = '[[tools: add {"by": 3, "why": "Grüße 🌍"}; read {}; add {"by": 4}]]'
ORANGE = ImagePart(png_of(255, 128, 0), "image/png")


def request(*messages: Message, **more: Any) -> ModelRequest:
    """A request with tools, of a plan unless it says something else."""
    return ModelRequest(
        "scripted-1", (Message("system", "s"), *(messages or (Message("user", PLAN),))), tools=TOOLS, **more
    )


def pieces_of(model: ChatModel, asked: ModelRequest) -> list[Piece]:
    pieces: list[Piece] = []
    asyncio.run(collect(model, asked, pieces))
    return pieces


def made(calls: tuple[ToolCall, ...]) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments)) for call in calls]


def turn(text: str, calls: tuple[ToolCall, ...], summary: str = "done") -> tuple[Message, ...]:
    """The messages of a turn with its results."""
    results = (
        Message("tool", json.dumps({"ok": True, "summary": f"{summary} {number}"}), tool_call_id=call.id)
        for number, call in enumerate(calls, start=1)
    )
    return Message("assistant", text, tool_calls=calls), *results


def test_a_call_arrives_whole_before_the_end(scripted: ModelControl, model: ChatModel) -> None:
    pieces = pieces_of(model, request())

    assert made(calls_of(pieces)) == [("add", {"by": 3, "why": "Grüße 🌍"})]
    assert [type(piece) for piece in pieces[-2:]] == [ToolCalled, Finished]
    (record,) = scripted.requests()
    assert (record["tools"], record["tool_choice"]) == (["add", "read"], "auto")


def test_a_conversation_with_its_turns_goes_to_the_provider_and_ends(scripted: ModelControl, model: ChatModel) -> None:
    messages = [Message("system", "s"), Message("user", PLAN)]
    turns: list[list[tuple[str, Any]]] = []
    while calls := calls_of(pieces := pieces_of(model, ModelRequest("m", tuple(messages), tools=TOOLS))):
        turns.append(made(calls))
        messages += turn(text_of(pieces), calls)

    assert turns == [[("add", {"by": 3, "why": "Grüße 🌍"})], [("read", {})], [("add", {"by": 4})]]
    assert text_of(pieces) == "The scripted model called 3 tools:\n- add: done 1\n- read: done 1\n- add: done 1"
    assert len({message.tool_call_id for message in messages}) == 4, "no id is used twice"
    seen = scripted.requests()[-1]["messages"]
    assert [message["role"] for message in seen] == ["system", "user", *["assistant", "tool"] * 3]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("text", ["", "Let me see. 世界"])
def test_parallel_calls_behind_text_arrive_in_the_models_order(
    scripted: ModelControl, model: ChatModel, text: str, split: bool
) -> None:
    scripted.script(parallel=3, text=text or None, split_arguments=split, times=1)

    pieces = pieces_of(model, request())

    assert text_of(pieces) == text
    assert made(calls_of(pieces)) == [("add", {"by": 3, "why": "Grüße 🌍"}), ("read", {}), ("add", {"by": 4})]
    messages = (Message("user", PLAN), *turn(text, calls_of(pieces)))
    assert answer(model, request(*messages))[0].endswith("- add: done 1\n- read: done 2\n- add: done 3")


def test_arguments_that_cannot_be_read_are_passed_on_and_may_be_sent_back(
    scripted: ModelControl, model: ChatModel
) -> None:
    scripted.script(bad_arguments=True, times=1)

    calls = calls_of(pieces_of(model, request()))

    assert calls[0].arguments == '{"by": 3, "why": "Grüße 🌍"'
    again = pieces_of(model, request(Message("user", PLAN), *turn("", calls)))
    assert made(calls_of(again)) == [("add", {"by": 3, "why": "Grüße 🌍"})]
    sent = scripted.requests()[-1]["messages"][2]["tool_calls"][0]["arguments"]
    assert json.loads(sent) == {"unparsable": calls[0].arguments}


def test_a_call_that_a_provider_would_refuse_can_be_sent_back(scripted: ModelControl, model: ChatModel) -> None:
    calls = (ToolCall("c1", "functions.add", ""), ToolCall("c2", "", "[NaN]"))
    answer(model, request(Message("user", "x"), *turn("", calls)))

    sent = scripted.requests()[-1]["messages"][2]["tool_calls"]
    assert [(call["name"], call["arguments"]) for call in sent] == [
        ("functions_add", "{}"),
        ("unnamed", '{"unparsable": "[NaN]"}'),
    ]


@pytest.mark.parametrize(("choice", "names"), [("auto", []), ("none", []), ("required", ["add"])])
def test_the_choice_of_tools_is_sent(scripted: ModelControl, model: ChatModel, choice: Any, names: list[str]) -> None:
    pieces = pieces_of(model, request(Message("user", "no plan"), tool_choice=choice))
    assert [call.name for call in calls_of(pieces)] == names
    assert scripted.requests()[0]["tool_choice"] == choice


@pytest.mark.parametrize("plan", ["no plan", "[[tools: read; add]]"])
def test_one_tool_can_be_chosen(scripted: ModelControl, model: ChatModel, plan: str) -> None:
    pieces = pieces_of(model, request(Message("user", plan), tool_choice=OneTool("add")))
    assert [call.name for call in calls_of(pieces)] == ["add"]
    assert scripted.requests()[0]["chosen_tool"] == "add"


def test_a_chosen_tool_that_is_not_offered_is_a_rejected_request(model: ChatModel) -> None:
    with pytest.raises(ModelRejectedRequest):
        pieces_of(model, request(Message("user", "no plan"), tool_choice=OneTool("fly")))


@pytest.mark.parametrize("end", [-1, -2, None])
def test_a_call_without_its_result_is_a_rejected_request(model: ChatModel, end: int | None) -> None:
    calls = (ToolCall("c1", "read", "{}"), ToolCall("c2", "read", "{}"))
    messages = turn("", calls) if end is None else turn("", calls)[:end]
    asked = request(Message("user", "x"), *(messages[1:] if end is None else messages))
    assert isinstance(fault(model, asked), ModelRejectedRequest)


def test_an_image_reaches_the_model(scripted: ModelControl, model: ChatModel) -> None:
    text, _ = answer(model, request(Message("user", (TextPart("What is it?"), ORANGE))))

    assert "PNG, 3 x 2 pixels, mean colour #ff8000" in text
    asked = scripted.requests()[0]["messages"][1]
    assert (asked["role"], asked["content"], len(asked["images"])) == ("user", "What is it?", 1)


def test_images_in_results_reach_the_model_and_leave_the_request_what_it_was(
    scripted: ModelControl, model: ChatModel
) -> None:
    calls = (ToolCall("c1", "add", '{"by": 3, "why": "Grüße 🌍"}'), ToolCall("c2", "look", "{}"))
    said, first, second = turn("", calls)
    blue = ImagePart(png_of(0, 0, 255), "image/png")
    results = (
        Message("tool", (TextPart(first.text), ORANGE), tool_call_id="c1"),
        Message("tool", (TextPart(second.text), blue), tool_call_id="c2"),
    )
    asked = request(Message("user", PLAN), said, *results)

    assert made(calls_of(pieces_of(model, asked))) == [("read", {})]
    seen = scripted.requests()[0]["messages"]
    images = [image["mean_colour"] for message in seen for image in message.get("images", [])]
    assert images == ["#ff8000", "#0000ff"]
    assert [message["content"] for message in seen if message["role"] == "tool"] == [first.text, second.text]


def test_an_undecodable_image_is_a_rejected_request(model: ChatModel) -> None:
    broken = ImagePart(ORANGE.data[:-9], "image/png")
    assert isinstance(fault(model, request(Message("user", (broken,)))), ModelRejectedRequest)


def test_texts_of_the_assistant_may_have_parts(scripted: ModelControl, model: ChatModel) -> None:
    asked = request(Message("user", "x"), Message("assistant", (TextPart("a"), TextPart("b"))), Message("user", "y"))
    answer(model, asked)
    assert scripted.requests()[0]["messages"][2] == {"role": "assistant", "content": "a\nb"}


def test_cached_input_costs_less_and_reasoning_is_counted(
    scripted: ModelControl, scripted_model_url: str, model_class: Any
) -> None:
    prices = {"scripted-1": ModelPrice(input=2.0, output=10.0, cached_input=0.5)}
    model = model_class(base_url=scripted_model_url, api_key=lambda: "k", prices=prices)
    scripted.script(text="one two", cached_tokens=4, reasoning_tokens=3)

    _, finished = answer(model, ModelRequest("scripted-1", (Message("user", "a b c d e f"),)))

    usage = finished.usage
    assert (usage.input_tokens, usage.cached_input_tokens) == (6, 4)
    assert (usage.output_tokens, usage.reasoning_tokens) == (5, 3)
    assert usage.cost_usd == pytest.approx((2 * 2.0 + 4 * 0.5 + 5 * 10.0) / 1e6)


def test_arguments_cut_at_the_output_limit_are_passed_on_and_marked(model: ChatModel) -> None:
    pieces = pieces_of(model, request(max_output_tokens=4))
    (call,) = calls_of(pieces)
    assert (call.name, call.arguments) == ("add", '{"by": 3')
    assert isinstance(pieces[-1], Finished)
    assert pieces[-1].truncated


@pytest.mark.parametrize("after", range(12))
@pytest.mark.parametrize("how", ["disconnect_after", "clean_end_after"])
def test_calls_of_a_broken_stream_are_not_made(
    scripted: ModelControl, model: ChatModel, model_class: Any, how: str, after: int
) -> None:
    behaviour: dict[str, Any] = {how: after}
    scripted.script(text="Let me.", parallel=3, **behaviour)
    pieces: list[Piece] = []

    assert isinstance(fault(model, request(), pieces), ModelDisconnected)

    assert calls_of(pieces) == ()
    assert "Let me.".startswith(text_of(pieces))
    if model_class is OpenAIChatModel:
        assert scripted.requests()[0]["tokens_sent"] == after
