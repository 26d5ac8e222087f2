"""Call a chat model through the Chat Completions API of an OpenAI-compatible endpoint, with the openai SDK's client."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from shared.llm.model import ChatModel, Finished, ModelRequest, ResponseGone, TextDelta
from shared.llm.openai.chat_stream import ChatDecoder
from shared.llm.openai.endpoint import OpenAIEndpoint, schema_parameters


class OpenAIChatModel(OpenAIEndpoint, ChatModel):
    """The ChatModel on the Chat Completions API.

    A chat completion ends with its connection, so its pieces have no cursor and no later call can re-attach. To end the
    call early, close the iterator of `stream` (`contextlib.aclosing`).
    """

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]:
        if request.resume_from is not None:
            raise ResponseGone("a chat completion ends with its connection")
        decoder = ChatDecoder()
        parameters = _parameters(request)
        async with contextlib.aclosing(
            self._read(
                lambda client: client.chat.completions.with_streaming_response.create(**parameters),
                decoder,
            )
        ) as texts:
            async for text in texts:
                if text:
                    yield TextDelta(text)
        yield self._finished(request.model, decoder)

    async def cancel(self, cursor: str) -> None:
        """Do nothing, because closing the iterator has ended the call already."""


def _parameters(request: ModelRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.temperature is not None:
        parameters["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        # OpenAI's reasoning models reject `max_tokens`.
        parameters["max_completion_tokens"] = request.max_output_tokens
    if request.output_schema is not None:
        parameters["response_format"] = {
            "type": "json_schema",
            "json_schema": schema_parameters(request.output_schema),
        }
    return parameters
