"""The stages of the `suggestion` pipeline."""

from __future__ import annotations

import functools
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from shared.errors import InvalidModelOutput, ModelTimeout
from shared.jobs.events import Reset
from shared.jobs.stages import StageRun
from shared.llm.model import ChatModel, Finished, Message, ModelRequest, ResponseGone, Started, TextDelta
from shared.suggestions.models import SuggestionInput, Suggestions
from shared.suggestions.prompts import output_schema, repair_messages, request_messages
from shared.telemetry import log

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EXPECTED_CHARS = 2000
"""Length of a usual answer, which progress is measured by (row F3)."""

MOST_BEFORE_COMPLETION = 95.0


def progress_of(length: int) -> float:
    """`min(95, length / 2000 · 100)`, in percent."""
    return min(MOST_BEFORE_COMPLETION, length / EXPECTED_CHARS * 100)


class GenerateSuggestions:
    """Asks the model and streams its answer."""

    name = "generate_suggestions"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, run: StageRun) -> dict[str, Any]:
        await stream_answer(self._model, run, request_messages(_wanted(run)))
        return {}


class ValidateSuggestions:
    """Checks the answer against its schema; lets the model repair it once."""

    name = "validate_suggestions"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, run: StageRun) -> dict[str, Any]:
        answer = run.previous.text if run.previous else ""
        try:
            found = Suggestions.model_validate_json(answer)
        except ValidationError as error:
            found = await self._repaired(run, answer, complaint(error))
        run.stream.report(MOST_BEFORE_COMPLETION)
        return found.model_dump(mode="json")

    async def _repaired(self, run: StageRun, answer: str, wrong: str) -> Suggestions:
        if run.resume_from is None:
            await start_over(run, "REPAIR", "the answer did not fit its schema and is being repaired")
        await stream_answer(self._model, run, repair_messages(_wanted(run), answer, wrong))
        try:
            return Suggestions.model_validate_json(run.stream.text)
        except ValidationError as error:
            raise InvalidModelOutput(
                f"the model's answer does not fit, also after repair: {complaint(error)}"
            ) from None


async def stream_answer(model: ChatModel, run: StageRun, messages: tuple[Message, ...]) -> None:
    """One model call, its text on the job's stream and its tokens on the job's account.

    A call that an earlier attempt has left running is gone on with. Where that turns out to be impossible, the text so
    far is dropped and the model asked anew.
    """
    request = ModelRequest(
        model=run.job.model, messages=messages, output_schema=output_schema(), resume_from=run.resume_from
    )
    try:
        await _stream(model, run, request)
    except (ResponseGone, ModelTimeout) as error:
        if run.resume_from is None:
            raise
        log.info("response not resumed", job_id=run.job.id, stage=run.job.stage, reason=type(error).__name__)
        await model.cancel(run.resume_from)  # one that hangs would hang again
        await start_over(run, "RESTARTED", "the model's answer was lost and is asked for again")
        await _stream(model, run, replace(request, resume_from=None))


async def start_over(run: StageRun, reason: Literal["REPAIR", "RESTARTED"], message: str) -> None:
    """Empty the stream for another answer."""
    attempt, retry_count = run.job.attempt, run.job.retry_count
    await run.stream.reset(
        Reset(text="", progress=0, reason=reason, message=message, attempt=attempt, retry_count=retry_count)
    )


async def _stream(model: ChatModel, run: StageRun, request: ModelRequest) -> None:
    length = len(run.stream.text)
    if request.resume_from is not None:
        run.release = functools.partial(model.cancel, request.resume_from)
    async with aclosing(model.stream(request)) as pieces:
        async for piece in pieces:
            match piece:
                case Started(cursor=cursor):
                    run.release = functools.partial(model.cancel, cursor)
                    await run.stream.note_cursor(cursor)
                case TextDelta(text=text, cursor=cursor):
                    length += len(text)
                    run.stream.report(progress_of(length))
                    run.stream.write(text, cursor=cursor)
                case Finished(usage=usage):
                    run.release = None
                    run.spent(usage)


def complaint(error: ValidationError) -> str:
    """What is wrong, in field paths and rules; never the model's own words."""
    issues = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{_place(each)}: {each['msg']}" for each in issues[:10])


def _place(issue: ErrorDetails) -> str:
    # An unknown field's name is the model's own.
    known = issue["loc"][:-1] if issue["type"] == "extra_forbidden" else issue["loc"]
    return ".".join(map(str, known)) or "answer"


def _wanted(run: StageRun) -> SuggestionInput:
    assert isinstance(run.input, SuggestionInput)  # noqa: S101 - the pipeline's input model
    return run.input
