"""The adapters work with a model server of another project: @copilotkit/aimock (tests/model_oracle)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelUnavailable,
)
from shared.llm.model import (
    ChatModel,
    Finished,
    ImagePart,
    Message,
    ModelRequest,
    OutputSchema,
    Piece,
    TextDelta,
    TextPart,
    ToolCall,
)
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
from shared.llm.prices import ModelPrice
from shared.stages import time_limit
from tests.fakes.png import png_of
from tests.llm.aimock import ORACLE, aimock_with
from tests.llm.endpoint_job import ANSWERS_OF, Ended, run_job
from tests.llm.model_calls import TOOLS, calls_of, text_of

Adapter = type[OpenAIChatModel | OpenAIResponsesModel]
BOTH = pytest.mark.parametrize("adapter", [OpenAIChatModel, OpenAIResponsesModel])
FIXTURES = ORACLE / "fixtures"
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def aimock() -> Iterator[str]:
    with aimock_with(FIXTURES) as url:
        yield url


def ask(
    url: str, prompt: str, *, schema: OutputSchema | None = None, adapter: Adapter = OpenAIChatModel
) -> tuple[list[str], Finished]:
    request = ModelRequest(model="gpt-4o", messages=(Message("user", prompt),), output_schema=schema)
    parts = pieces(url, adapter, request)
    (finished,) = [part for part in parts if isinstance(part, Finished)]
    assert parts[-1] is finished
    return [part.text for part in parts if isinstance(part, TextDelta)], finished


def pieces(url: str, adapter: Adapter, request: ModelRequest) -> list[Piece]:
    model: ChatModel = adapter(
        base_url=url, api_key=lambda: "sk-any", prices={"gpt-4o": ModelPrice(input=1.0, output=1.0)}
    )

    async def run() -> list[Piece]:
        return [part async for part in model.stream(request)]

    return asyncio.run(run())


def with_tools(*messages: Message) -> ModelRequest:
    return ModelRequest("gpt-4o", messages, tools=TOOLS)


def last_body(url: str) -> dict[str, Any]:
    """Return the last request, as the server read it."""
    body: dict[str, Any] = httpx.get(url.replace("/v1", "/__aimock/journal")).json()[-1]["body"]
    return body


@BOTH
def test_the_adapter_streams_text_and_usage(aimock: str, adapter: Adapter) -> None:
    texts, finished = ask(aimock, "stream some prose", adapter=adapter)

    assert "".join(texts) == "Prose from a server that nobody here wrote, in more than one piece."
    assert (finished.usage.input_tokens, finished.usage.output_tokens) == (11, 7)
    assert finished.usage.cost_usd == pytest.approx(18e-6)
    assert not finished.truncated


def test_the_adapter_sends_the_schema_in_the_providers_form(aimock: str) -> None:
    # The fixture matches only a response_format of json_schema.
    texts, _ = ask(aimock, "answer by the schema", schema=OutputSchema("answer", SCHEMA))

    assert "".join(texts) == '{"answer": 42}'
    (sent,) = [
        entry["body"]
        for entry in httpx.get(aimock.replace("/v1", "/__aimock/journal")).json()
        if "response_format" in (entry.get("body") or {})
    ]
    assert sent["response_format"]["json_schema"] == {"name": "answer", "schema": SCHEMA, "strict": True}
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}


def test_an_output_cut_at_the_limit_is_marked(aimock: str) -> None:
    assert ask(aimock, "stop at the limit")[1].truncated


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("limit the rate", ModelRateLimited),
        ("use up the quota", ModelRejectedRequest),
        ("fail inside", ModelUnavailable),
        ("reject the key", ModelRejectedRequest),
        ("filter this", ModelRefused),
        ("break off", ModelDisconnected),
        ("nothing was prepared for this", ModelUnavailable),
    ],
)
def test_the_adapter_turns_each_failure_into_a_fault(aimock: str, prompt: str, expected: type[MillraceError]) -> None:
    with pytest.raises(MillraceError) as raised:
        ask(aimock, prompt)
    assert type(raised.value) is expected


@BOTH
def test_parallel_calls_behind_text_are_read_and_their_results_are_understood(aimock: str, adapter: Adapter) -> None:
    """Every fragment is one UTF-16 unit, so that each 🌍 is cut in half."""
    asked = Message("user", "call two tools")

    said = pieces(aimock, adapter, with_tools(asked))

    calls = calls_of(said)
    assert text_of(said) == "Let me see, 世界 🌍."
    assert [(call.name, call.arguments) for call in calls] == [
        ("add", '{"by": 3, "why": "Grüße 🌍"}'),
        ("read", "{}"),
    ]
    results = (Message("tool", "added", tool_call_id=calls[0].id), Message("tool", "it is 3", tool_call_id=calls[1].id))
    turn = Message("assistant", text_of(said), tool_calls=calls)
    assert text_of(pieces(aimock, adapter, with_tools(asked, turn, *results))) == "It is 3."
    sent = last_body(aimock)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["add", "read"]
    assert [each["tool_call_id"] for each in sent["messages"] if each["role"] == "tool"] == [call.id for call in calls]
    assert [call["id"] for each in sent["messages"] for call in each.get("tool_calls") or ()] == [
        call.id for call in calls
    ]


@BOTH
def test_a_call_without_text_is_read_whatever_the_finish_reason_is(aimock: str, adapter: Adapter) -> None:
    said = pieces(aimock, adapter, with_tools(Message("user", "call a tool only")))
    assert (text_of(said), [call.name for call in calls_of(said)]) == ("", ["read"])


@BOTH
def test_text_behind_a_call_is_read(aimock: str, adapter: Adapter) -> None:
    said = pieces(aimock, adapter, with_tools(Message("user", "write behind a call")))
    assert (text_of(said), [call.name for call in calls_of(said)]) == ("First, then more.", ["read"])


@BOTH
def test_a_call_that_breaks_off_is_not_made(aimock: str, adapter: Adapter) -> None:
    with pytest.raises(ModelDisconnected):
        pieces(aimock, adapter, with_tools(Message("user", "break off in a call")))


def test_an_image_is_sent_as_the_provider_expects_it(aimock: str) -> None:
    image = ImagePart(png_of(255, 128, 0), "image/png")
    called = Message("assistant", "", tool_calls=(ToolCall("c1", "read", "{}"),))
    result = Message("tool", (TextPart("drawn"), image), tool_call_id="c1")
    asked = Message("user", (TextPart("look at the image"), image))

    assert text_of(pieces(aimock, OpenAIChatModel, with_tools(called, result, asked))) == "I see."

    _, tool, beside, user = last_body(aimock)["messages"]
    sent = {"type": "image_url", "image_url": {"url": image.url}}
    assert tool == {"role": "tool", "tool_call_id": "c1", "content": "drawn"}
    assert beside["content"][1:] == [sent]
    assert user["content"] == [{"type": "text", "text": "look at the image"}, sent]


def test_an_image_does_not_hide_the_text_of_a_response(aimock: str) -> None:
    asked = Message("user", (TextPart("look at the image"), ImagePart(png_of(255, 128, 0), "image/png")))
    assert text_of(pieces(aimock, OpenAIResponsesModel, with_tools(asked))) == "I see."


@pytest.fixture
def chaos(aimock: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`chaos(dropRate=1)` makes the server fail from now on; waits that it asks for take no time."""

    async def no_wait(_: float) -> None:
        pass

    def set_rates(**rates: float) -> None:
        httpx.post(aimock.replace("/v1", "/__aimock/chaos"), json=rates).raise_for_status()

    monkeypatch.setattr(time_limit, "_sleep", no_wait)
    yield set_rates
    httpx.delete(aimock.replace("/v1", "/__aimock/chaos")).raise_for_status()


def job_on(url: str, adapter: Adapter, **changes: Any) -> Ended:
    return run_job("suggestion", adapter(base_url=url, api_key=lambda: "sk-any", prices={}), **changes)


@BOTH
@pytest.mark.parametrize(
    ("rates", "outcome"),
    [
        ({}, "complete"),
        ({"rateLimitRate": 1}, "ModelRateLimited"),
        ({"dropRate": 1}, "ModelUnavailable"),
        ({"malformedRate": 1}, "ModelDisconnected"),
        ({"disconnectRate": 1}, "ModelDisconnected"),
    ],
)
def test_a_job_ends_with_the_true_reason_if_the_server_always_fails(
    aimock: str, adapter: Adapter, chaos: Callable[..., None], rates: dict[str, float], outcome: str
) -> None:
    chaos(**rates)
    assert job_on(aimock, adapter).outcome == outcome


@BOTH
def test_every_job_ends_if_the_server_fails_at_random(
    aimock: str, adapter: Adapter, chaos: Callable[..., None]
) -> None:
    chaos(rateLimitRate=0.2, dropRate=0.2, malformedRate=0.1, disconnectRate=0.1)
    for _ in range(10):
        ended = job_on(aimock, adapter)
        assert ended.outcome in {"complete", "ModelRateLimited", "ModelUnavailable", "ModelDisconnected"}
        assert ended.outcome != "complete" or ended.result == ANSWERS_OF["suggestions"]


@BOTH
def test_a_job_whose_every_output_is_cut_off_ends_as_disconnected(aimock: str, adapter: Adapter) -> None:
    assert job_on(aimock, adapter, pageOrComponent="Broken off").outcome == "ModelDisconnected"
