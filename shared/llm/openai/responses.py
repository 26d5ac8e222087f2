"""The chat model over OpenAI's Responses API in background mode: a response outlives its connection."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from shared.errors import TransientFault
from shared.llm.model import ChatModel, Message, ModelRequest, Piece, ResponseGone, Started, TextDelta
from shared.llm.openai.endpoint import OpenAIEndpoint, provider_faults, schema_parameters
from shared.llm.openai.responses_stream import Place, ResponseDecoder

if TYPE_CHECKING:
    import openai

# https://developers.openai.com/api/docs/guides/background polls as often.
_POLL_SECONDS: Final = 2.0

_UNKNOWN: Final = frozenset({404, 410})

# Ended already: OpenAI answers 400 where the response is completed (github.com/BerriAI/litellm/pull/39617).
_NOTHING_TO_CANCEL: Final = _UNKNOWN | {400, 409}


class OpenAIResponsesModel(OpenAIEndpoint, ChatModel):
    """Closing the iterator of `stream` only detaches: the provider goes on until the answer is whole, or `cancel`.

    Cursors are `<response id>:<sequence number>:<characters of text so far>`. Where the provider no longer streams a
    response but still stores it (OpenAI after five minutes), resuming waits for its end and delivers the rest in one
    piece. See docs/decisions/0007-re-attaching-to-a-running-response.md.
    """

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        if request.resume_from is None:
            decoder = ResponseDecoder()
            pieces = self._begin(request, decoder)
        else:
            place = Place.parse(request.resume_from)
            if place is None:
                raise ResponseGone("The place to go on from is not one of this provider's.")
            decoder = ResponseDecoder(place)
            pieces = self._go_on(place, decoder)
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                yield piece
        yield self._finished(request.model, decoder)

    async def cancel(self, cursor: str) -> None:
        import openai  # noqa: PLC0415 - see OpenAIEndpoint._client_for_call

        place = Place.parse(cursor)
        if place is None:
            return
        with provider_faults():
            async with self._client_for_call() as client:
                try:
                    # Nobody waits for tokens here, so the patience for tokens would be too much.
                    await client.responses.with_raw_response.cancel(place.response_id, timeout=self._connect_timeout)
                except openai.APIStatusError as error:
                    if error.status_code not in _NOTHING_TO_CANCEL:
                        raise

    async def _begin(self, request: ModelRequest, decoder: ResponseDecoder) -> AsyncGenerator[Piece, None]:
        parameters = _parameters(request)
        started = False
        async with contextlib.aclosing(
            self._read(lambda client: client.responses.with_streaming_response.create(**parameters), decoder)
        ) as texts:
            async for text in texts:
                if not started and decoder.accepted is not None:
                    started = True
                    yield Started(decoder.accepted)
                if text:
                    yield TextDelta(text, decoder.cursor)

    async def _go_on(self, place: Place, decoder: ResponseDecoder) -> AsyncGenerator[Piece, None]:
        streamed = place.sequence_number is not None
        try:
            async with contextlib.aclosing(self._read(lambda client: _attached(client, place), decoder)) as texts:
                async for text in texts:
                    if text:
                        yield TextDelta(text, decoder.cursor)
        except _NotStreamed:
            streamed = False
        # An end without the provider's word for it is looked up: a cancelled response ends so, and always will.
        if not decoder.whole and (decoder.fault is None or isinstance(decoder.fault, TransientFault)):
            text = await self._stored_rest(place.response_id, decoder, wait=not streamed)
            if text:
                yield TextDelta(text, decoder.cursor)

    async def _stored_rest(self, response_id: str, decoder: ResponseDecoder, *, wait: bool) -> str:
        """The text of an ended response that was not delivered yet; with `wait`, its end is waited for.

        The wait has no limit of its own: the provider ends a response, and the stage's timeout ends the stage.
        """
        with provider_faults():
            async with self._client_for_call() as client:
                while True:
                    async with _known(), client.responses.with_streaming_response.retrieve(response_id) as response:
                        text = decoder.take_stored(await response.read())
                    if not wait or decoder.whole or decoder.fault is not None:
                        return text
                    await asyncio.sleep(_POLL_SECONDS)


class _NotStreamed(Exception):
    """The provider does not stream this response (any more); it may still store it."""


@contextlib.asynccontextmanager
async def _attached(client: openai.AsyncOpenAI, place: Place) -> AsyncIterator[Any]:
    """The raw stream of a response after `place`. Raises ResponseGone and _NotStreamed."""
    import openai  # noqa: PLC0415 - see OpenAIEndpoint._client_for_call

    if place.sequence_number is None:
        raise _NotStreamed("This place is not in the stream.")
    attaching = client.responses.with_streaming_response.retrieve(
        place.response_id, stream=True, starting_after=place.sequence_number
    )
    try:
        async with _known(), attaching as response:
            yield response
    except openai.BadRequestError:
        raise _NotStreamed("The provider does not stream this response any more.") from None


@contextlib.asynccontextmanager
async def _known() -> AsyncIterator[None]:
    import openai  # noqa: PLC0415 - see OpenAIEndpoint._client_for_call

    try:
        yield
    except openai.APIStatusError as error:
        if error.status_code not in _UNKNOWN:
            raise
        raise ResponseGone("The provider does not know the response any more.") from None


def _parameters(request: ModelRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "model": request.model,
        **_prompt(request.messages),
        "stream": True,
        "background": True,
        # Background mode keeps a response for about ten minutes; stored, it can be resumed for as long as a job lives.
        "store": True,
    }
    if request.temperature is not None:
        parameters["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        parameters["max_output_tokens"] = request.max_output_tokens
    if request.output_schema is not None:
        parameters["text"] = {"format": {"type": "json_schema", **schema_parameters(request.output_schema)}}
    return parameters


def _prompt(messages: tuple[Message, ...]) -> dict[str, Any]:
    """The system messages at the front are the instructions; what stands between others keeps its place."""
    system = list(itertools.takewhile(lambda message: message.role == "system", messages))
    others = messages[len(system) :]
    if not (system and others):
        system, others = [], messages
    prompt: dict[str, Any] = {"input": [{"role": message.role, "content": message.content} for message in others]}
    if system:
        prompt["instructions"] = "\n\n".join(message.content for message in system)
    return prompt
