"""A server that refuses a parameter gets the request again without it, and then never with it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from shared.errors import ModelRejectedRequest
from shared.llm.model import ChatModel, Message, ModelRequest, OutputSchema
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
from tests.llm.case_server import CaseServer, http_response
from tests.llm.model_calls import KEY, PROMPT, TOOLS, collect

CHAT = http_response(
    200,
    {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}},
)
RESPONSE = http_response(
    200,
    {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "x"}]}],
    },
)
SCHEMA = OutputSchema("numbers", {"type": "object", "required": ["n"]})
REQUEST = ModelRequest(
    "fake-1",
    (Message("system", "Be brief."), Message("user", PROMPT)),
    SCHEMA,
    tools=TOOLS,
    temperature=0.5,
    max_output_tokens=50,
)
PATHS = {OpenAIChatModel: CHAT, OpenAIResponsesModel: RESPONSE}


def refusal(name: str, body: dict[str, Any]) -> bytes | None:
    """Refuse a request that has the parameter, as a strict server does."""
    if name not in body:
        return None
    return http_response(400, {"error": {"message": f"Unsupported parameter: '{name}'", "param": name, "code": None}})


def asked(model: Any, *names: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Ask twice a server that refuses these parameters; return the bodies of the requests and the texts."""

    def respond(body: dict[str, Any]) -> bytes:
        return next((refused for name in names if (refused := refusal(name, body))), PATHS[model])

    with CaseServer(respond) as server:
        adapter: ChatModel = model(base_url=server.url, api_key=lambda: KEY, prices={})
        texts = [asyncio.run(collect(adapter, REQUEST))[0] for _ in range(2)]
        return server.bodies, texts


@pytest.mark.parametrize("name", ["temperature", "stream_options", "stream", "tool_choice"])
def test_a_chat_completion_is_asked_for_without_the_parameter(name: str) -> None:
    bodies, texts = asked(OpenAIChatModel, name)

    assert texts == ["x", "x"]
    assert [name in body for body in bodies] == [True, False, False], "refused once, then remembered"


@pytest.mark.parametrize("name", ["temperature", "background", "store", "stream", "tool_choice"])
def test_a_response_is_asked_for_without_the_parameter(name: str) -> None:
    bodies, texts = asked(OpenAIResponsesModel, name)

    assert texts == ["x", "x"]
    assert [name in body for body in bodies] == [True, False, False]


def test_several_parameters_are_left_out_one_after_the_other() -> None:
    bodies, _ = asked(OpenAIChatModel, "temperature", "stream_options", "tool_choice")
    assert len(bodies) == 5
    assert not bodies[-1].keys() & {"temperature", "stream_options", "tool_choice"}


def test_the_limit_has_the_name_that_the_server_knows() -> None:
    bodies, _ = asked(OpenAIChatModel, "max_completion_tokens")
    assert [(body.get("max_completion_tokens"), body.get("max_tokens")) for body in bodies] == [
        (50, None),
        (None, 50),
        (None, 50),
    ]


def test_a_schema_that_the_server_does_not_know_is_told_to_the_model() -> None:
    bodies, _ = asked(OpenAIChatModel, "response_format")

    assert [body.get("response_format", {}).get("type") for body in bodies] == [
        "json_schema",
        "json_object",
        None,
        None,
    ]
    for body in bodies[1:]:
        assert json.dumps(SCHEMA.schema) in body["messages"][0]["content"]
        assert body["messages"][0]["content"].startswith("Be brief.")


def test_a_schema_that_the_responses_api_does_not_know_is_told_to_the_model() -> None:
    bodies, _ = asked(OpenAIResponsesModel, "text")

    assert [body.get("text", {}).get("format", {}).get("type") for body in bodies] == [
        "json_schema",
        "json_object",
        None,
        None,
    ]
    assert json.dumps(SCHEMA.schema) in bodies[-1]["instructions"]


@pytest.mark.parametrize("name", ["tools", "messages"])
def test_a_parameter_that_the_job_needs_is_named_in_the_fault(name: str) -> None:
    with pytest.raises(ModelRejectedRequest, match=rf"\(HTTP 400, parameter {name}\)"):
        asked(OpenAIChatModel, name)


def test_what_did_not_help_is_not_remembered() -> None:
    def respond(body: dict[str, Any]) -> bytes:
        return refusal("temperature", body) or refusal("tools", body) or CHAT

    with CaseServer(respond) as server:
        adapter = OpenAIChatModel(base_url=server.url, api_key=lambda: KEY, prices={})
        for _ in range(2):
            with pytest.raises(ModelRejectedRequest):
                asyncio.run(collect(adapter, REQUEST))
        assert ["temperature" in body for body in server.bodies] == [True, False, True, False]
