"""Call a chat model through OpenAI's Responses API in background mode, in which a response outlives its connection."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from shared.errors import MillraceError, ModelOutputTooLong, TransientFault
from shared.llm.model import (
    ChatModel,
    ImagePart,
    Message,
    ModelRequest,
    OneTool,
    Piece,
    ResponseGone,
    Spent,
    Started,
    TextDelta,
    TextPart,
    ToolCalled,
)
from shared.llm.openai.endpoint import OpenAIEndpoint, metered, provider_faults, schema_parameters, wanted_answer
from shared.llm.openai.parameters import RESPONSES
from shared.llm.openai.responses_stream import ResponseDecoder, ResponsePosition
from shared.llm.output_bound import OutputMeter, longest_stored_response
from shared.observability.log import log

if TYPE_CHECKING:
    import openai

# The interval in the examples of https://developers.openai.com/api/docs/guides/background.
_POLL_SECONDS: Final = 2.0

_UNKNOWN: Final = frozenset({404, 410})

# The response has ended already: for a completed one OpenAI sends 400 (github.com/BerriAI/litellm/pull/39617).
_NOTHING_TO_CANCEL: Final = _UNKNOWN | {400, 409}


class OpenAIResponsesModel(OpenAIEndpoint, ChatModel):
    """The ChatModel on the Responses API.

    If the iterator of `stream` is closed, the provider continues the response until it is complete or cancelled.
    A cursor is `<response id>:<sequence number>:<characters of text so far>`. If the provider still stores a response
    but no longer streams it (OpenAI: after five minutes), a call that re-attaches waits until the response has ended
    and yields the rest as one delta. See docs/decisions/0007-re-attaching-to-a-running-response.md.
    """

    changes = RESPONSES

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        if request.resume_from is None:
            pieces = self._without_refused(request, lambda refused: self._start(request, refused))
        else:
            position = ResponsePosition.parse(request.resume_from)
            if position is None:
                raise ResponseGone("the cursor is not one of this provider")
            pieces = self._reattach(request, position)
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece

    def parameters(self, request: ModelRequest) -> dict[str, Any]:
        return _parameters(request)

    async def cancel(self, cursor: str) -> None:
        import openai  # noqa: PLC0415 - see OpenAIEndpoint._client_for_call

        position = ResponsePosition.parse(cursor)
        if position is None:
            return
        with provider_faults():
            async with self._client_for_call() as client:
                # There are no tokens to wait for, so the longer token timeout does not apply.
                cancelling = client.responses.with_streaming_response.cancel(
                    position.response_id, timeout=self._connect_timeout
                )
                try:
                    async with cancelling:
                        pass  # the body is not needed, and it has no bound
                except openai.APIStatusError as error:
                    if error.status_code not in _NOTHING_TO_CANCEL:
                        raise

    async def _start(self, request: ModelRequest, refused: tuple[str, ...]) -> AsyncGenerator[Piece, None]:
        parameters = self._refused.apply(refused, self.parameters(request))
        decoder = ResponseDecoder(wanted=wanted_answer(request), kept="background" in parameters)
        meter = OutputMeter(request)
        started = False
        try:
            async with contextlib.aclosing(
                self._read(
                    lambda client: client.responses.with_streaming_response.create(**parameters),
                    decoder,
                    meter,
                    request.spare,
                )
            ) as texts:
                async for text in texts:
                    if not started and decoder.first_cursor is not None:
                        started = True
                        yield Started(decoder.first_cursor)
                    if text:
                        yield TextDelta(text, decoder.cursor)
            await self._cancel_if_endless(decoder, meter)
            for piece in self._ending(request.model, decoder):
                yield piece
        except MillraceError as error:
            for spent in self._spent(request.model, decoder, error):
                yield spent
            raise

    async def _cancel_if_endless(self, decoder: ResponseDecoder, meter: OutputMeter) -> None:
        """Cancel a response that would not stop: the provider continues it without a connection."""
        if meter.excess is None or decoder.first_cursor is None:
            return
        try:
            await self.cancel(decoder.first_cursor)
        except MillraceError as fault:
            log.warning("model response not cancelled", code=fault.code)

    async def _reattach(self, request: ModelRequest, position: ResponsePosition) -> AsyncGenerator[Piece, None]:
        decoder = ResponseDecoder(position)
        pieces = self._rest_of_response(request, position, decoder)
        try:
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    yield piece
        except (MillraceError, ResponseGone):
            # An earlier call has begun this response, so the model has worked. The attempt before left its tokens to
            # this one.
            yield Spent(self._usage(request.model, decoder))
            raise

    async def _rest_of_response(
        self, request: ModelRequest, position: ResponsePosition, decoder: ResponseDecoder
    ) -> AsyncGenerator[Piece, None]:
        """Yield what a running or ended response has after `position`, and how it ended."""
        meter = OutputMeter(request, reattached=True)
        streamed = position.sequence_number is not None
        try:
            async with contextlib.aclosing(
                self._read(lambda client: _attached(client, position), decoder, meter, request.spare)
            ) as texts:
                async for text in texts:
                    if text:
                        yield TextDelta(text, decoder.cursor)
        except _NotStreamed:
            streamed = False
        # The stream of a cancelled response ends without a final event, on every try. So read how it ended.
        if not decoder.complete and (decoder.fault is None or isinstance(decoder.fault, TransientFault)):
            rest = await self._stored_rest(request, position.response_id, decoder, wait=not streamed)
            text = metered(rest, 0, decoder, meter)
            if text:
                yield TextDelta(text, decoder.cursor)
        await self._cancel_if_endless(decoder, meter)
        for piece in self._ending(request.model, decoder):
            yield piece

    def _ending(self, model: str, decoder: ResponseDecoder) -> tuple[Piece, ...]:
        finished = self._finished(model, decoder)
        return *map(ToolCalled, decoder.calls), finished

    async def _stored_rest(
        self, request: ModelRequest, response_id: str, decoder: ResponseDecoder, *, wait: bool
    ) -> str:
        """Return the text of an ended response that the stream did not deliver; if `wait`, wait until it has ended.

        The wait needs no timeout, because the provider ends every response and the stage's timeout ends the stage.

        Raises:
            ModelOutputTooLong: the provider sends more than any response to the request can take.
        """
        with provider_faults():
            async with self._client_for_call() as client:
                while True:
                    async with (
                        _unknown_as_gone(),
                        client.responses.with_streaming_response.retrieve(response_id) as found,
                    ):
                        text = decoder.read_stored(await _whole_body(found, longest_stored_response(request)))
                    if not wait or decoder.complete or decoder.fault is not None:
                        return text
                    await asyncio.sleep(_POLL_SECONDS)


async def _whole_body(response: Any, most_bytes: int) -> bytes:
    """Return the body of a raw response. Raises ModelOutputTooLong if it is longer than `most_bytes`."""
    body = bytearray()
    async with contextlib.aclosing(response.http_response.aiter_bytes()) as reads:
        async for data in reads:
            body += data
            if len(body) > most_bytes:
                raise ModelOutputTooLong(
                    f"the model's stored response was ended at {most_bytes:,} bytes, "
                    "the most that the longest output and its envelope can take"
                )
    return bytes(body)


class _NotStreamed(Exception):
    """The provider does not stream the response, or no longer; it may still store it."""


@contextlib.asynccontextmanager
async def _attached(client: openai.AsyncOpenAI, position: ResponsePosition) -> AsyncIterator[Any]:
    """Yield the raw stream of a response after `position`.

    Raises:
        ResponseGone: the provider does not know the response.
        _NotStreamed: the provider does not stream the response, or no longer.
    """
    import openai  # noqa: PLC0415 - see OpenAIEndpoint._client_for_call

    if position.sequence_number is None:
        raise _NotStreamed("the position is not in the stream")
    attaching = client.responses.with_streaming_response.retrieve(
        position.response_id, stream=True, starting_after=position.sequence_number
    )
    try:
        async with _unknown_as_gone(), attaching as response:
            yield response
    except openai.BadRequestError:
        raise _NotStreamed("the provider no longer streams the response") from None


@contextlib.asynccontextmanager
async def _unknown_as_gone() -> AsyncIterator[None]:
    """Raise ResponseGone if the provider does not know the response."""
    import openai  # noqa: PLC0415 - see OpenAIEndpoint._client_for_call

    try:
        yield
    except openai.APIStatusError as error:
        if error.status_code not in _UNKNOWN:
            raise
        raise ResponseGone("the provider does not know the response") from None


def _parameters(request: ModelRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "model": request.model,
        **_prompt(request.messages),
        "stream": True,
        "background": True,
        # Without `store`, a background response is kept for about ten minutes. Stored, it is kept longer than any job.
        "store": True,
    }
    if request.temperature is not None:
        parameters["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        parameters["max_output_tokens"] = request.max_output_tokens
    if request.tools:
        parameters["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            }
            for tool in request.tools
        ]
        choice = request.tool_choice
        parameters["tool_choice"] = {"type": "function", "name": choice.name} if isinstance(choice, OneTool) else choice
    if request.output_schema is not None:
        parameters["text"] = {"format": {"type": "json_schema", **schema_parameters(request.output_schema)}}
    return parameters


def _prompt(messages: tuple[Message, ...]) -> dict[str, Any]:
    """Send the system messages before the first other message as `instructions`, and the rest, in order, as `input`."""
    system = list(itertools.takewhile(lambda message: message.role == "system", messages))
    others = messages[len(system) :]
    if not (system and others):
        system, others = [], messages
    prompt: dict[str, Any] = {
        "input": [item for message in others if not message.says_nothing for item in _items(message)]
    }
    if system:
        prompt["instructions"] = "\n\n".join(message.text for message in system)
    return prompt


def _items(message: Message) -> list[dict[str, Any]]:
    """Return one message as input items: a tool call and a tool result are items of their own here."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": _content(message)}]
    content = message.text if message.role == "assistant" else _content(message)
    said = [{"role": message.role, "content": content}] if content or not message.tool_calls else []
    calls = [
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.sendable_name,
            "arguments": call.sendable_arguments,
        }
        for call in message.tool_calls
    ]
    return [*said, *calls]


def _content(message: Message) -> str | list[dict[str, Any]]:
    return message.content if isinstance(message.content, str) else [_part(part) for part in message.content]


def _part(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    return {"type": "input_image", "image_url": part.url, "detail": "auto"}
