"""The chat model over any OpenAI-compatible endpoint's chat completions, streamed through the openai SDK's client."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from shared.llm.model import ChatModel, Finished, ModelRequest, ResponseGone, TextDelta
from shared.llm.openai.chat_stream import AnswerDecoder
from shared.llm.openai.endpoint import OpenAIEndpoint, schema_parameters


class OpenAIChatModel(OpenAIEndpoint, ChatModel):
    """Close the iterator of `stream` (`contextlib.aclosing`) when leaving early: that ends the call at the provider.

    A chat completion lives and dies with its connection: its pieces carry no cursor, and there is nothing to resume.
    """

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]:
        if request.resume_from is not None:
            raise ResponseGone("A chat completion does not outlive its connection.")
        decoder = AnswerDecoder()
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
        """Nothing to do: closing the iterator has ended the call."""


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
        # Not `max_tokens`: OpenAI's reasoning models reject it.
        parameters["max_completion_tokens"] = request.max_output_tokens
    if request.output_schema is not None:
        parameters["response_format"] = {
            "type": "json_schema",
            "json_schema": schema_parameters(request.output_schema),
        }
    return parameters
