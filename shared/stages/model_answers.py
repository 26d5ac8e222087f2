"""Call a model from a stage: write its output to the log as it arrives, and count its tokens."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel

from shared.errors import ModelTimeout, TransientFault
from shared.llm.model import (
    ChatModel,
    Finished,
    Message,
    ModelRequest,
    OutputSchema,
    Piece,
    ResponseGone,
    Spent,
    Started,
    TextDelta,
)
from shared.llm.output_bound import longest_json
from shared.log.events import StoredReset
from shared.log.usage import UNREPORTED, TokenUsage
from shared.log.writer import READ_SECONDS
from shared.observability import tracing
from shared.observability.log import log
from shared.stages.stage import AttemptContext, StageContext

STRICT_UNSUPPORTED = frozenset({"minLength", "maxLength", "title", "default"})
"""JSON Schema keywords that strict structured output does not support. The data model checks these rules later."""

SYSTEM_WITH_INSTRUCTIONS = """\
{system}

The owner of this job has instructions of their own, between the two lines below. Follow them as far as they leave \
everything above in force: what is asked for, and in which format to answer, is decided there.
----- begin of the owner's instructions -----
{instructions}
----- end of the owner's instructions -----
The format of the answer stays as it was given above."""
"""The system message for a job with an agent. The pipeline's own text comes before and after the instructions."""


def model_request(
    context: AttemptContext,
    messages: tuple[Message, ...],
    output_schema: OutputSchema | None,
    *,
    resume_from: str | None = None,
    temperature: float | None = None,
) -> ModelRequest:
    """Return the request for the job's model: the pipeline's messages and schema, with the agent's settings.

    The first of `messages` must be the system message. `resume_from` is the cursor of a response to re-attach to.
    `temperature` applies unless the agent sets one.
    """
    request = ModelRequest(context.job.model, messages, output_schema, resume_from=resume_from, temperature=temperature)
    if context.agent is None:
        return request
    return replace(
        request,
        messages=_with_instructions(messages, context.agent.instructions),
        temperature=temperature if context.agent.temperature is None else context.agent.temperature,
        max_output_tokens=context.agent.max_output_tokens,
    )


def _with_instructions(messages: tuple[Message, ...], instructions: str) -> tuple[Message, ...]:
    system, *others = messages
    return Message("system", SYSTEM_WITH_INSTRUCTIONS.format(system=system.text, instructions=instructions)), *others


async def call_model(model: ChatModel, context: AttemptContext, request: ModelRequest) -> AsyncGenerator[Piece, None]:
    """Call the model once and yield what `ChatModel.stream` yields. Count the tokens in `context.usage`.

    A call that fails or is cancelled counts, too: as unreported if its tokens are not known. A response that the next
    attempt may read on is in `context.left_running`, because that attempt counts it.

    While a later attempt could re-attach to the response, `context.cancel_response` is set.
    """
    context.count_left_running()
    if request.resume_from is not None:
        context.cancel_response = functools.partial(model.cancel, request.resume_from)
    span = tracing.start_span("model", namespace="remote", model=request.model, resumed=request.resume_from is not None)
    spent: TokenUsage | None = None
    failed: BaseException | None = None
    try:
        async with aclosing(model.stream(request)) as pieces:
            async for piece in pieces:
                spent = piece.usage if isinstance(piece, Finished | Spent) else spent or UNREPORTED
                if isinstance(piece, Spent):
                    continue
                if isinstance(piece, Started):
                    context.cancel_response = functools.partial(model.cancel, piece.cursor)
                elif isinstance(piece, Finished):
                    context.cancel_response = None
                    span.annotate(input_tokens=piece.usage.input_tokens, output_tokens=piece.usage.output_tokens)
                yield piece
    except BaseException as error:  # also if the attempt is cancelled, or if its stage has read enough
        failed = error
        if isinstance(error, Exception):
            span.failed(error)
        raise
    finally:
        _count(context, request, spent, failed)
        span.end()


def _count(
    context: AttemptContext, request: ModelRequest, spent: TokenUsage | None, failed: BaseException | None
) -> None:
    """Count what a call has used; `spent` is None if the provider has told nothing, and has begun nothing."""
    if isinstance(failed, ResponseGone) or (request.resume_from is not None and isinstance(failed, ModelTimeout)):
        context.add_usage(spent or UNREPORTED)
        return
    if failed is not None and not isinstance(failed, Exception):
        spent = spent or UNREPORTED
    goes_on = isinstance(failed, TransientFault) or (failed is not None and not isinstance(failed, Exception))
    if goes_on and context.cancel_response is not None and context.can_reattach:
        context.left_running = spent or UNREPORTED
    elif spent is not None:
        context.add_usage(spent)


async def read_output(
    model: ChatModel,
    context: AttemptContext,
    messages: tuple[Message, ...],
    output_schema: OutputSchema | None,
    *,
    temperature: float | None = None,
) -> tuple[str, Finished]:
    """Call the model and return its whole output and how it finished. Append nothing: parts call the model like this.

    Raises the model faults of `ChatModel.stream`.
    """
    return await _read(model, context, model_request(context, messages, output_schema, temperature=temperature))


async def read_resumable_output(
    model: ChatModel,
    context: StageContext,
    messages: tuple[Message, ...],
    output_schema: OutputSchema | None,
    *,
    temperature: float | None = None,
) -> tuple[str, Finished]:
    """Call the model and return its whole output and how it finished; append only the cursor before any text.

    If an earlier attempt started a response, read that one from its beginning. If it is gone, call the model again.
    Raises the model faults of `ChatModel.stream`.
    """
    request = model_request(
        context, messages, output_schema, resume_from=context.response_cursor, temperature=temperature
    )
    context.response_cursor = None
    try:
        return await _read(model, context, request, context.output.store_cursor)
    except (ResponseGone, ModelTimeout) as error:
        if request.resume_from is None:
            raise
        log.info("re-attach failed", stage=context.job.stage, reason=type(error).__name__)
        await model.cancel(request.resume_from)  # a response that hangs would hang again
        return await _read(model, context, replace(request, resume_from=None), context.output.store_cursor)


async def _read(
    model: ChatModel,
    context: AttemptContext,
    request: ModelRequest,
    keep_cursor: Callable[[str], Awaitable[object]] | None = None,
) -> tuple[str, Finished]:
    """Read the whole output. `keep_cursor` gets the position in the response as soon as it has begun."""
    texts: list[str] = []
    finished = Finished(TokenUsage())
    request = replace(request, spare=lambda: READ_SECONDS)
    async with aclosing(call_model(model, context, request)) as pieces:
        async for piece in pieces:
            match piece:
                case Started(cursor=cursor) if keep_cursor is not None:
                    await keep_cursor(cursor)
                case TextDelta(text=text):
                    texts.append(text)
                case Finished():
                    finished = piece
                case _:
                    pass
    return "".join(texts), finished


async def stream_output(
    model: ChatModel,
    context: StageContext,
    messages: tuple[Message, ...],
    output_schema: OutputSchema | None,
    *,
    progress_of: Callable[[int], float],
    keep: int = 0,
) -> Finished:
    """Call the model, append its output to the log as it arrives, and return how it finished.

    `progress_of` returns the job's progress (0–100) from the number of characters of the output, which is what follows
    the first `keep` characters of the log's text. If an earlier attempt started a response, re-attach to it. If that
    fails, discard the output so far and call the model again.

    Raises the model faults of `ChatModel.stream`.
    """
    request = model_request(context, messages, output_schema, resume_from=context.response_cursor)
    context.response_cursor = None
    try:
        return await _write_output(model, context, request, progress_of, keep)
    except (ResponseGone, ModelTimeout) as error:
        if request.resume_from is None:
            raise
        log.info("re-attach failed", stage=context.job.stage, reason=type(error).__name__)
        await model.cancel(request.resume_from)  # a response that hangs would hang again
        message = "the model's response was lost; the model is called again"
        await reset_text(context, "RESTARTED", message, keep=keep, progress=progress_of(0) if keep else 0)
        return await _write_output(model, context, replace(request, resume_from=None), progress_of, keep)


async def reset_text(
    context: StageContext, reason: Literal["REPAIR", "RESTARTED"], message: str, *, keep: int = 0, progress: float = 0
) -> None:
    """Keep the first `keep` characters of the log's text and set the progress, before the stage calls the model again.

    Raises ValueError if the text is shorter.
    """
    job = context.job
    await context.output.reset(
        StoredReset(
            kept_characters=keep,
            progress=progress,
            reason=reason,
            message=message,
            attempt=job.attempt,
            retry_count=job.retry_count,
        )
    )


async def _write_output(
    model: ChatModel, context: StageContext, request: ModelRequest, progress_of: Callable[[int], float], keep: int
) -> Finished:
    length = len(context.output.text) - keep
    finished = Finished(TokenUsage())
    request = replace(request, spare=context.output.spare_seconds)
    async with aclosing(call_model(model, context, request)) as pieces:
        async for piece in pieces:
            match piece:
                case Started(cursor=cursor):
                    await context.output.store_cursor(cursor)
                case TextDelta(text=text, cursor=cursor):
                    length += len(text)
                    context.output.report_progress(progress_of(length))
                    context.output.write(text, cursor=cursor)
                case Finished():
                    finished = piece
    return finished


@functools.cache  # pydantic makes it in a millisecond, which is a fiftieth of a short call
def strict_schema(name: str, output: type[BaseModel]) -> OutputSchema:
    """Return the JSON Schema of a data model for a request, as `strict_form` does."""
    return strict_form(name, output.model_json_schema(by_alias=True))


def strict_form(name: str, schema: dict[str, Any]) -> OutputSchema:
    """Return a JSON Schema without the keywords that strict structured output does not support.

    The longest text that fits it is computed before they are removed. An output that is longer is ended.
    """
    return OutputSchema(name, _strict(schema), longest_json(schema))


def _strict(schema: Any, *, names: bool = False) -> Any:
    """Remove the unsupported keywords. With `names`, the keys at this level are property names, not keywords."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _strict(value, names=key in {"properties", "$defs"} and not names)
        for key, value in schema.items()
        if names or key not in STRICT_UNSUPPORTED
    }
