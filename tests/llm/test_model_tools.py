"""Tools and images of the scripted model, as a client of OpenAI's two APIs sees them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import Field, TypeAdapter

from local.model.control import ModelControl
from tests.fakes.png import png_of

EVENT: TypeAdapter[Any] = TypeAdapter(Annotated[ResponseStreamEvent, Field(discriminator="type")])
PLAN = '[[tools: add {"by": 3, "why": "Grüße 🌍"}; read]]'
BY = {"type": "object", "properties": {"by": {"type": "integer"}}, "required": ["by"]}
FUNCTIONS = [
    {"name": "add", "description": "Add to the number.", "parameters": BY},
    {"name": "read", "description": "Read the number.", "parameters": {"type": "object", "properties": {}}},
]
TEXT_EVENTS = [
    *("output_item.added", "content_part.added", "output_text.delta"),
    *("output_text.done", "content_part.done", "output_item.done"),
]
CALL_EVENTS = [
    *("output_item.added", "function_call_arguments.delta"),
    *("function_call_arguments.done", "output_item.done"),
]
ORANGE = f"data:image/png;base64,{base64.b64encode(png_of(255, 128, 0)).decode()}"


@pytest.fixture
def client(scripted: ModelControl, scripted_model_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=scripted_model_url, headers={"authorization": "Bearer any"}, trust_env=False) as client:
        yield client


def chat(*messages: Any, **more: Any) -> dict[str, Any]:
    tools = [{"type": "function", "function": function} for function in FUNCTIONS]
    return {"model": "m", "messages": list(messages), "tools": tools, **more}


def respond(*items: Any, **more: Any) -> dict[str, Any]:
    tools = [{"type": "function", **function} for function in FUNCTIONS]
    return {"model": "m", "input": list(items), "tools": tools, **more}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def calling(*calls: str, name: str = "add", arguments: Any = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": each, "type": "function", "function": function} for each in calls],
    }


def result(call: str, content: Any = '{"ok":true,"summary":"added 3"}') -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call, "content": content}


def called(call: str, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call, "name": "add", "arguments": "{}", **more}


def output(call: str, content: Any = '{"ok":true,"summary":"added 3"}') -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call, "output": content}


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
    return chunks


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    blocks = response.text.strip().split("\n\n")
    events = [json.loads(block.split("\n")[1].removeprefix("data: ")) for block in blocks]
    for event in events:
        EVENT.validate_python(event)
    return events


# --- calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", [{}, {"split_arguments": True}, {"text": "Let me add."}])
def test_calls_of_a_chat_completion_are_streamed_as_openai_does(
    client: httpx.Client, scripted: ModelControl, behaviour: dict[str, Any]
) -> None:
    scripted.script(parallel=2, **behaviour)
    wanted = {"stream": True, "stream_options": {"include_usage": True}}

    *chunks, usage = chunks_of(client.post("/chat/completions", json=chat(user(PLAN), **wanted)))
    whole = client.post("/chat/completions", json=chat(user(PLAN))).json()

    ChatCompletion.model_validate(whole)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("content") or "" for delta in deltas) == behaviour.get("text", "")
    fragments = [fragment for delta in deltas for fragment in delta.get("tool_calls", [])]
    heads = [fragment for fragment in fragments if "id" in fragment]
    assert [(head["index"], head["function"]) for head in heads] == [
        (0, {"name": "add", "arguments": ""}),
        (1, {"name": "read", "arguments": ""}),
    ]
    message = whole["choices"][0]["message"]
    assert message["content"] == behaviour.get("text")
    for index, call in enumerate(message["tool_calls"]):
        parts = [each["function"]["arguments"] for each in fragments if each["index"] == index]
        # The 🌍 may be cut in half.
        text = "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16")
        assert text == call["function"]["arguments"]
        assert len(call["id"]) == len("call_") + 24
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "tool_calls"
    assert usage["usage"] == whole["usage"]
    if "split_arguments" in behaviour:
        assert len(fragments) == 2 + len('{"by": 3, "why": "Grüße __"}') + len("{}")


@pytest.mark.parametrize("behaviour", [{}, {"split_arguments": True}, {"text": "Let me add."}])
def test_calls_of_a_response_are_items_in_openais_order(
    client: httpx.Client, scripted: ModelControl, behaviour: dict[str, Any]
) -> None:
    scripted.script(parallel=2, **behaviour)

    events = events_of(client.post("/responses", json=respond(user(PLAN), stream=True)))

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"].removeprefix("response.") for event in events[3:-1]]
    once = [kind for at, kind in enumerate(kinds) if at == 0 or kind != kinds[at - 1]]
    assert once == [*(TEXT_EVENTS if "text" in behaviour else []), *CALL_EVENTS, *CALL_EVENTS]
    stored = client.get(f"/responses/{events[0]['response']['id']}").json()
    Response.model_validate(stored)
    assert stored == events[-1]["response"]
    assert stored["status"] == "completed"
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert stored["output"] == done
    calls = [item for item in done if item["type"] == "function_call"]
    assert [(call["name"], json.loads(call["arguments"])) for call in calls] == [
        ("add", {"by": 3, "why": "Grüße 🌍"}),
        ("read", {}),
    ]
    assert len({each["id"] for each in done} | {each["call_id"] for each in calls}) == len(done) + len(calls)


def test_a_response_that_is_polled_has_the_calls_as_well(client: httpx.Client) -> None:
    begun = client.post("/responses", json=respond(user(PLAN), background=True)).json()
    while (polled := client.get(f"/responses/{begun['id']}").json())["status"] != "completed":
        time.sleep(0.01)
    assert [item["name"] for item in polled["output"]] == ["add"]


def test_results_are_quoted_in_the_last_answer(client: httpx.Client) -> None:
    plan = user("[[tools: add]]")
    said = client.post("/chat/completions", json=chat(plan, calling("a"), result("a"))).json()["choices"][0]["message"]
    (item,) = client.post("/responses", json=respond(plan, called("a"), output("a"))).json()["output"]
    assert said["content"] == item["content"][0]["text"] == "The scripted model called 1 tool:\n- add: added 3"


def test_the_log_of_requests_shows_calls_results_and_offered_tools(
    client: httpx.Client, scripted: ModelControl
) -> None:
    client.post("/chat/completions", json=chat(user("x"), calling("a", "b"), result("a"), result("b")))
    client.post("/responses", json=respond(user("x"), called("a"), called("b"), output("a"), output("b")))

    first, second = scripted.requests()

    assert first["messages"] == second["messages"]
    assert [call["id"] for call in first["messages"][1]["tool_calls"]] == ["a", "b"]
    assert first["messages"][2]["tool_call_id"] == "a"
    assert (first["tools"], first["tool_choice"]) == (["add", "read"], "auto")


@pytest.mark.parametrize("behaviour", [{"length": True}, {"content_filter": True}])
def test_an_output_can_be_cut_in_the_middle_of_its_arguments(
    client: httpx.Client, scripted: ModelControl, behaviour: dict[str, Any]
) -> None:
    scripted.script(split_arguments=True, **behaviour)
    choice = client.post("/chat/completions", json=chat(user(PLAN))).json()["choices"][0]
    response = client.post("/responses", json=respond(user(PLAN))).json()

    assert choice["finish_reason"] == next(iter(behaviour))
    assert response["status"] == response["output"][0]["status"] == "incomplete"
    arguments = choice["message"]["tool_calls"][0]["function"]["arguments"]
    assert arguments == response["output"][0]["arguments"] == '{"by": 3, "why'


@pytest.mark.parametrize("after", [0, 1, 2, 99])
def test_breaks_count_the_tokens_of_arguments_as_well(client: httpx.Client, scripted: ModelControl, after: int) -> None:
    scripted.script(disconnect_after=after, parallel=2)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/chat/completions", json=chat(user(PLAN), stream=True))
    (record,) = scripted.requests()
    assert (record["tokens_sent"], record["ended"]) == (after, "scripted: disconnect_after")


def test_cached_and_reasoning_tokens_are_counted_if_told_so(client: httpx.Client, scripted: ModelControl) -> None:
    scripted.script(text="one two", cached_tokens=4, reasoning_tokens=5)
    body = {"model": "m", "messages": [user("a b c d e f")]}
    usage = client.post("/chat/completions", json=body).json()["usage"]
    other = client.post("/responses", json={"model": "m", "input": "a b c"}).json()["usage"]

    assert usage == {
        "prompt_tokens": 6,
        "completion_tokens": 7,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert (other["input_tokens_details"]["cached_tokens"], other["input_tokens"]) == (3, 3), "not more than there are"
    assert other["output_tokens_details"]["reasoning_tokens"] == 5


# --- what it refuses --------------------------------------------------------------------------------------------------

BAD_CHATS: dict[str, tuple[dict[str, Any], str]] = {
    "a call without its result": (chat(user("x"), calling("a")), "did not have response messages: a"),
    "one of two": (chat(user("x"), calling("a", "b"), result("b"), user("y")), "response messages: a"),
    "a user between": (chat(user("x"), calling("a"), user("y"), result("a")), "must be followed by"),
    "a result without its call": (chat(user("x"), result("a")), "must be a response to a preceding message"),
    "a result twice": (chat(user("x"), calling("a"), result("a"), result("a")), "a is not"),
    "a result without an id": (chat(user("x"), calling("a"), {"role": "tool", "content": "x"}), "tool_call_id"),
    "a call without an id": (chat(user("x"), calling(""), result("")), "needs an id"),
    "a name with a dot": (chat(user("x"), calling("a", name="f.add"), result("a")), "does not match"),
    "arguments that are no JSON": (chat(user("x"), calling("a", arguments="{"), result("a")), "JSON object"),
    "arguments that are no object": (chat(user("x"), calling("a", arguments="[]"), result("a")), "JSON object"),
    "arguments that are no text": (chat(user("x"), calling("a", arguments={}), result("a")), "JSON object"),
    "an assistant that says nothing": (chat(user("x"), {"role": "assistant", "content": None}), "got null"),
    "an unknown role": (chat({"role": "robot", "content": "x"}), "role"),
    "content of another type": (chat(user(3)), "'content'"),
    "an image by address": (chat(user([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}])), "data:"),
    "an image without an address": (chat(user([{"type": "image_url"}])), "data:"),
    "no image at all": (
        chat(user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}])),
        "cannot be decoded",
    ),
    "a part of the other API": (chat(user([{"type": "input_text", "text": "x"}])), "image_url, text"),
    "a part that is no object": (chat(user(["x"])), "image_url, text"),
    "an image of the assistant": (
        chat(user("x"), {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": ORANGE}}]}),
        "'image_url'",
    ),
    "tools that are no array": (chat(user("x"), tools={"add": {}}), "expected an array"),
    "a tool of another type": (chat(user("x"), tools=[{"type": "web_search"}]), "'function' only"),
    "a tool without a name": (chat(user("x"), tools=[{"type": "function", "function": {}}]), "'name'"),
    "a tool of the other API": (chat(user("x"), tools=[{"type": "function", "name": "add"}]), "'name'"),
    "a tool with an odd name": (
        chat(user("x"), tools=[{"type": "function", "function": {"name": "a b"}}]),
        "does not match",
    ),
    "a tool twice": (chat(user("x"), tools=[{"type": "function", "function": FUNCTIONS[0]}] * 2), "used twice"),
    "parameters that are no object": (
        chat(user("x"), tools=[{"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}]),
        "'object'",
    ),
    "a choice without tools": (chat(user("x"), tools=None, tool_choice="auto"), "only allowed when"),
    "an unknown choice": (chat(user("x"), tool_choice="often"), "'tool_choice'"),
    "a chosen tool that is not offered": (
        chat(user("x"), tool_choice={"type": "function", "function": {"name": "fly"}}),
        "Tool choice 'fly' not found",
    ),
    "a directive that cannot be read": (chat(user("[[tools: add {]]")), "name {json}"),
}


@pytest.mark.parametrize("case", BAD_CHATS)
def test_a_chat_completion_is_refused_as_openai_refuses_it(
    client: httpx.Client, scripted: ModelControl, case: str
) -> None:
    body, reason = BAD_CHATS[case]
    answer = client.post("/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert reason in answer.json()["error"]["message"]
    assert {record["ended"] for record in scripted.requests()} <= {"rejected"}


BAD_RESPONSES: dict[str, tuple[dict[str, Any], str]] = {
    "a call without its result": (respond(user("x"), called("a")), "No tool output found for function call a"),
    "a result without its call": (respond(user("x"), output("a")), "No tool call found for function call output"),
    "a result before its call": (respond(user("x"), output("a"), called("a")), "No tool call found"),
    "a result twice": (respond(user("x"), called("a"), output("a"), output("a")), "No tool call found"),
    "a call without an id": (respond(user("x"), called(""), output("a")), "needs an id"),
    "a result without an id": (respond(user("x"), called("a"), output("")), "call_id"),
    "a message of a tool": (respond(user("x"), {"role": "tool", "content": "x"}), "function_call_output"),
    "an unknown item": (respond(user("x"), {"type": "reasoning"}), "'reasoning'"),
    "input text of the assistant": (
        respond({"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}),
        "output_text, refusal",
    ),
    "an image by address": (respond(user([{"type": "input_image", "image_url": "https://x/y.png"}])), "data:"),
    "a part of the other API": (respond(user([{"type": "text", "text": "x"}])), "input_image, input_text"),
    "a tool of the other API": (
        respond(user("x"), tools=[{"type": "function", "function": FUNCTIONS[0]}]),
        "'name'",
    ),
    "a directive that cannot be read": (respond(user("[[tools: add {]]")), "name {json}"),
}


@pytest.mark.parametrize("case", BAD_RESPONSES)
def test_a_response_is_refused_as_openai_refuses_it(client: httpx.Client, scripted: ModelControl, case: str) -> None:
    body, reason = BAD_RESPONSES[case]
    answer = client.post("/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert reason in answer.json()["error"]["message"]
    assert {record["ended"] for record in scripted.requests()} <= {"rejected"}


# --- images -----------------------------------------------------------------------------------------------------------


def test_an_image_is_named_with_its_size_and_mean_colour(client: httpx.Client, scripted: ModelControl) -> None:
    chat_parts = [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": ORANGE}}]
    parts = [{"type": "input_text", "text": "Look."}, {"type": "input_image", "image_url": ORANGE, "detail": "auto"}]
    said = client.post("/chat/completions", json=chat(user(chat_parts))).json()["choices"][0]["message"]["content"]
    (item,) = client.post("/responses", json=respond(user(parts))).json()["output"]

    assert said == item["content"][0]["text"]
    assert said.startswith("The scripted model sees image 1: PNG, 3 x 2 pixels, mean colour #ff8000.")
    seen = [record["messages"][0] for record in scripted.requests()]
    image = {"format": "png", "width": 3, "height": 2, "mean_colour": "#ff8000"}
    assert seen == [{"role": "user", "content": "Look.", "images": [image]}] * 2


def test_a_result_of_a_response_may_hold_an_image(client: httpx.Client, scripted: ModelControl) -> None:
    parts = [{"type": "input_text", "text": "drawn"}, {"type": "input_image", "image_url": ORANGE}]
    body = respond(user("x"), called("a"), output("a", parts))
    assert "mean colour #ff8000" in client.post("/responses", json=body).text
    assert scripted.requests()[0]["messages"][-1]["images"][0]["mean_colour"] == "#ff8000"


def test_an_image_in_a_large_request_is_read_too(client: httpx.Client) -> None:
    large = png_of(10, 20, 30, width=900, height=900)
    url = f"data:image/png;base64,{base64.b64encode(large).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "x" * 60_000}]
    said = client.post("/chat/completions", json=chat(user(parts))).json()["choices"][0]["message"]["content"]
    assert "PNG, 900 x 900 pixels, mean colour #0a141e" in said
