"""One request to the scripted model, independent of the OpenAI API that it came by."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from local.model.calls import MadeCall, PlannedCall
from local.model.conversation import Message
from local.model.errors import BadRequest
from local.model.images import Image
from local.model.offered_tools import OfferedTool, ToolChoice, offered_tools, tool_choice

# What OpenAI counts for an image in low detail: https://developers.openai.com/api/docs/guides/images-vision
_TOKENS_OF_IMAGE: Final = 85


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages and the settings of one request.

    `chosen_tool` is the tool that a `tool_choice` names: then `tool_choice` is "required".
    `response_format` has the `type` "text", "json_object" or "json_schema"; the last also has `name` and `schema`.
    """

    model: str
    messages: list[Message]
    response_format: dict[str, Any]
    most_tokens: int | None
    temperature: float | None = None
    tools: tuple[OfferedTool, ...] = ()
    tool_choice: ToolChoice = "auto"
    chosen_tool: str | None = None

    @classmethod
    def of(
        cls,
        body: dict[str, Any],
        messages: list[Message],
        response_format: dict[str, Any],
        most_tokens: int | None,
        *,
        nested_tools: bool,
    ) -> Prompt:
        """Raises BadRequest."""
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise BadRequest("you must provide a model parameter")
        tools = offered_tools(body, nested=nested_tools)
        choice, chosen_tool = tool_choice(body, tools, nested=nested_tools)
        return cls(
            model=body["model"],
            messages=messages,
            response_format=response_format,
            most_tokens=most_tokens,
            temperature=body.get("temperature"),
            tools=tools,
            tool_choice=choice,
            chosen_tool=chosen_tool,
        )

    @property
    def user_messages(self) -> list[str]:
        """The texts of the user's messages, oldest first."""
        return [message["content"] for message in self.messages if message["role"] == "user"]

    @property
    def text(self) -> str:
        """All messages of the user as one text."""
        return "\n".join(self.user_messages)

    @property
    def request(self) -> str:
        """What the user asks for now: the last user message, and the application's remarks behind tool results."""
        asked = self.messages[self._request_at :]
        return "\n".join(message["content"] for message in asked if message["role"] == "user")

    @property
    def turns(self) -> list[list[MadeCall]]:
        """The calls that were made for the present request, with their results; one list for each turn."""
        since = self.messages[self._request_at :]
        outputs = {message["tool_call_id"]: message["content"] for message in since if message["role"] == "tool"}
        return [
            [
                MadeCall(PlannedCall(call["name"], call["arguments"]), outputs.get(call["id"], ""))
                for call in message["tool_calls"]
            ]
            for message in since
            if message.get("tool_calls")
        ]

    def without_turns(self) -> Prompt:
        """Return the prompt as it was when no tool was called yet."""
        return replace(self, messages=self.messages[: self._request_at + 1])

    @property
    def images(self) -> list[Image]:
        """The images of all messages, oldest first."""
        return [image for message in self.messages for image in message.get("images", [])]

    @property
    def tokens(self) -> int:
        """The length of the prompt in the scripted model's tokens: words, and a fixed number for each image."""
        calls = [call["arguments"] for message in self.messages for call in message.get("tool_calls", [])]
        tools = [f"{tool.description} {json.dumps(tool.parameters)}" for tool in self.tools]
        texts = [*(message["content"] for message in self.messages), *calls, *tools]
        return sum(len(text.split()) for text in texts) + len(self.images) * _TOKENS_OF_IMAGE

    @property
    def schema_name(self) -> str | None:
        return self.response_format.get("name")

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema that the output must fit; None when the request has none. Raises BadRequest."""
        if self.response_format.get("type") != "json_schema":
            return None
        schema = self.response_format.get("schema")
        if not isinstance(schema, dict):
            raise BadRequest("Missing required parameter: the 'schema' of a 'json_schema'.")
        return schema

    @property
    def _request_at(self) -> int:
        """The position of the last user message that is not right behind a tool's result; 0 without one.

        A user message right behind a result is the application's: a remark, or the images of the result.
        """
        for at in range(len(self.messages) - 1, -1, -1):
            behind_result = at > 0 and self.messages[at - 1]["role"] == "tool"
            if self.messages[at]["role"] == "user" and not behind_result:
                return at
        return 0
