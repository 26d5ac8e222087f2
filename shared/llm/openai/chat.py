"""Call a chat model through the Chat Completions API of an OpenAI-compatible endpoint, with the openai SDK's client."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncGenerator
from typing import Any

from shared.errors import MillraceError
from shared.llm.model import (
    ChatModel,
    ImagePart,
    Message,
    ModelRequest,
    OneTool,
    Piece,
    ResponseGone,
    TextDelta,
    TextPart,
    ToolCalled,
)
from shared.llm.openai.chat_stream import ChatDecoder
from shared.llm.openai.endpoint import OpenAIEndpoint, schema_parameters, wanted_answer
from shared.llm.openai.parameters import CHAT
from shared.llm.output_bound import OutputMeter


class OpenAIChatModel(OpenAIEndpoint, ChatModel):
    """The ChatModel on the Chat Completions API.

    A chat completion ends with its connection, so its pieces have no cursor and no later call can re-attach. To end the
    call early, close the iterator of `stream` (`contextlib.aclosing`).
    """

    changes = CHAT

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        if request.resume_from is not None:
            raise ResponseGone("a chat completion ends with its connection")
        async with contextlib.aclosing(
            self._without_refused(request, lambda refused: self._call(request, refused))
        ) as pieces:
            async for piece in pieces:
                yield piece

    async def _call(self, request: ModelRequest, refused: tuple[str, ...]) -> AsyncGenerator[Piece, None]:
        decoder = ChatDecoder(wanted_answer(request))
        parameters = self._refused.apply(refused, self.parameters(request))
        try:
            async with contextlib.aclosing(
                self._read(
                    lambda client: client.chat.completions.with_streaming_response.create(**parameters),
                    decoder,
                    OutputMeter(request),
                    request.spare,
                )
            ) as texts:
                async for text in texts:
                    if text:
                        yield TextDelta(text)
            finished = self._finished(request.model, decoder)
        except MillraceError as error:
            for spent in self._spent(request.model, decoder, error):
                yield spent
            raise
        for call in decoder.calls:
            yield ToolCalled(call)
        yield finished

    def parameters(self, request: ModelRequest) -> dict[str, Any]:
        return _parameters(request)

    async def cancel(self, cursor: str) -> None:
        """Do nothing, because closing the iterator has ended the call already."""


def _parameters(request: ModelRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(request.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.temperature is not None:
        parameters["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        # OpenAI's reasoning models reject `max_tokens`.
        parameters["max_completion_tokens"] = request.max_output_tokens
    if request.tools:
        parameters["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in request.tools
        ]
        choice = request.tool_choice
        parameters["tool_choice"] = (
            {"type": "function", "function": {"name": choice.name}} if isinstance(choice, OneTool) else choice
        )
    if request.output_schema is not None:
        parameters["response_format"] = {
            "type": "json_schema",
            "json_schema": schema_parameters(request.output_schema),
        }
    return parameters


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the conversation. This API takes no images in tool results, so a user message behind them holds those."""
    sent: list[dict[str, Any]] = []
    for role, group in itertools.groupby(messages, key=lambda message: message.role):
        together = tuple(message for message in group if not message.says_nothing)
        sent.extend(map(_message, together))
        if role == "tool" and (images := [part for message in together for part in _labelled_images(message)]):
            sent.append({"role": "user", "content": images})
    return sent


def _message(message: Message) -> dict[str, Any]:
    content: Any = message.content if isinstance(message.content, str) else [_part(part) for part in message.content]
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    if not message.tool_calls:
        return {"role": message.role, "content": content}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.sendable_name, "arguments": call.sendable_arguments},
        }
        for call in message.tool_calls
    ]
    return {"role": message.role, "content": content or None, "tool_calls": calls}


def _labelled_images(message: Message) -> list[dict[str, Any]]:
    images = [_part(part) for part in message.content if isinstance(part, ImagePart)]
    label = TextPart(f"Images in the result of tool call {message.tool_call_id}:")
    return [_part(label), *images] if images else []


def _part(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url}}
