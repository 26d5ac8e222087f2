"""Asking a model from within a stage: its answer as it comes, its tokens on the job's account."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from shared.errors import ModelTimeout
from shared.llm.model import (
    ChatModel,
    Finished,
    Message,
    ModelRequest,
    OutputSchema,
    Piece,
    ResponseGone,
    Started,
    TextDelta,
)
from shared.log.events import Reset
from shared.log.usage import TokenUsage
from shared.observability import tracing
from shared.observability.log import log
from shared.stages.stage import StageContext

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

STRICT_UNSUPPORTED = frozenset({"minLength", "maxLength", "title", "default"})
"""Keywords that strict structured output does not take; whoever checks the answer checks what they say."""

INSTRUCTED = """\
{system}

The owner of this job has instructions of their own, between the two lines below. Follow them as far as they leave \
everything above in force: what is asked for, and in which format to answer, is decided there.
----- begin of the owner's instructions -----
{instructions}
----- end of the owner's instructions -----
The format of the answer stays as it was given above."""
"""One system message of the pipeline's and the agent's; the pipeline has the first word and the last."""


def model_request(
    context: StageContext, messages: tuple[Message, ...], output_schema: OutputSchema, *, resume_from: str | None = None
) -> ModelRequest:
    """What to send for this job: its model, the messages as the pipeline wants them, and what its agent adds."""
    request = ModelRequest(context.job.model, messages, output_schema, resume_from=resume_from)
    if context.agent is None:
        return request
    return replace(
        request,
        messages=_instructed(messages, context.agent.instructions),
        temperature=context.agent.temperature,
        max_output_tokens=context.agent.max_output_tokens,
    )


def _instructed(messages: tuple[Message, ...], instructions: str) -> tuple[Message, ...]:
    """The messages, of which the first is the pipeline's system message."""
    system, *others = messages
    return Message("system", INSTRUCTED.format(system=system.content, instructions=instructions)), *others


async def call_model(model: ChatModel, context: StageContext, request: ModelRequest) -> AsyncGenerator[Piece, None]:
    """One model call, as `ChatModel.stream` gives it. Its tokens are counted, and it is ended if the job is."""
    if request.resume_from is not None:
        context.release = functools.partial(model.cancel, request.resume_from)
    span = tracing.start_span("model", namespace="remote", model=request.model, resumed=request.resume_from is not None)
    try:
        async with aclosing(model.stream(request)) as answer:
            async for piece in answer:
                if isinstance(piece, Started):
                    context.release = functools.partial(model.cancel, piece.cursor)
                elif isinstance(piece, Finished):
                    context.release = None
                    context.add_usage(piece.usage)
                    span.annotate(input_tokens=piece.usage.input_tokens, output_tokens=piece.usage.output_tokens)
                yield piece
    except Exception as error:
        span.failed(error)
        raise
    finally:
        span.end()


async def stream_output(
    model: ChatModel,
    context: StageContext,
    messages: tuple[Message, ...],
    output_schema: OutputSchema,
    *,
    progress_of: Callable[[int], float],
) -> Finished:
    """One answer, added to the job's text as it comes, and how it ended; `progress_of` its length is the progress.

    A call that an earlier attempt has left running is gone on with. Where that turns out to be impossible, the text so
    far is dropped and the model asked anew.
    """
    request = model_request(context, messages, output_schema, resume_from=context.response_cursor)
    try:
        return await _write_answer(model, context, request, progress_of)
    except (ResponseGone, ModelTimeout) as error:
        if request.resume_from is None:
            raise
        log.info("response not resumed", stage=context.job.stage, reason=type(error).__name__)
        await model.cancel(request.resume_from)  # one that hangs would hang again
        await reset_text(context, "RESTARTED", "the model's answer was lost and is asked for again")
        return await _write_answer(model, context, replace(request, resume_from=None), progress_of)


async def reset_text(
    context: StageContext, reason: Literal["REPAIR", "RESTARTED"], message: str, *, text: str = "", progress: float = 0
) -> None:
    """Replace the stream's text by `text`, for another answer to go on from."""
    attempt, retry_count = context.job.attempt, context.job.retry_count
    await context.output.reset(
        Reset(text=text, progress=progress, reason=reason, message=message, attempt=attempt, retry_count=retry_count)
    )


async def _write_answer(
    model: ChatModel, context: StageContext, request: ModelRequest, progress_of: Callable[[int], float]
) -> Finished:
    length = len(context.output.text)
    finished = Finished(TokenUsage())
    async with aclosing(call_model(model, context, request)) as answer:
        async for piece in answer:
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


def strict_schema(name: str, answer: type[BaseModel]) -> OutputSchema:
    """The schema of `answer` in the subset strict structured output understands."""
    return OutputSchema(name, _strict(answer.model_json_schema(by_alias=True)))


def _strict(schema: Any, *, names: bool = False) -> Any:
    """`names`: the keys at this level are property names, not keywords."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _strict(value, names=key in {"properties", "$defs"} and not names)
        for key, value in schema.items()
        if names or key not in STRICT_UNSUPPORTED
    }


def describe_errors(error: ValidationError) -> str:
    """What is wrong with an answer, in field paths and rules; never the model's own words."""
    issues = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{_place(each)}: {each['msg']}" for each in issues[:10])


def _place(issue: ErrorDetails) -> str:
    # An unknown field's name is the model's own.
    known = issue["loc"][:-1] if issue["type"] == "extra_forbidden" else issue["loc"]
    return ".".join(map(str, known)) or "answer"
