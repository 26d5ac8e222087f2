"""The stages of the `suggestion` pipeline."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from shared.apps.suggestions.models import SuggestionInput, Suggestions
from shared.apps.suggestions.prompts import output_schema, repair_messages, request_messages
from shared.errors import InvalidModelOutput
from shared.llm.model import ChatModel, Finished, Message
from shared.stages.model_answers import describe_errors, reset_text, stream_output
from shared.stages.stage import StageContext

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

    async def run(self, context: StageContext) -> dict[str, Any]:
        await _stream_suggestions(self._model, context, request_messages(_wanted(context)))
        return {}


class ValidateSuggestions:
    """Checks the answer against its schema; lets the model repair it once."""

    name = "validate_suggestions"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        answer = context.previous.text if context.previous else ""
        try:
            found = Suggestions.model_validate_json(answer)
        except ValidationError as error:
            found = await self._repaired(context, answer, describe_errors(error))
        context.output.report_progress(MOST_BEFORE_COMPLETION)
        return found.model_dump(mode="json")

    async def _repaired(self, context: StageContext, answer: str, wrong: str) -> Suggestions:
        if context.response_cursor is None:
            await reset_text(context, "REPAIR", "the answer did not fit its schema and is being repaired")
        repaired = await _stream_suggestions(self._model, context, repair_messages(_wanted(context), answer, wrong))
        try:
            return Suggestions.model_validate_json(context.output.text)
        except ValidationError as error:
            reason = "it was cut off at its output limit" if repaired.truncated else describe_errors(error)
            raise InvalidModelOutput(f"the model's answer does not fit, also after repair: {reason}") from None


async def _stream_suggestions(model: ChatModel, context: StageContext, messages: tuple[Message, ...]) -> Finished:
    return await stream_output(model, context, messages, output_schema(), progress_of=progress_of)


def _wanted(context: StageContext) -> SuggestionInput:
    assert isinstance(context.input, SuggestionInput)  # noqa: S101 - the pipeline's input model
    return context.input
