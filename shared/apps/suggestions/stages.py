"""Run the stages of the `suggestion` pipeline."""

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
"""The usual length of an output in characters, from which progress is estimated."""

MAX_PROGRESS = 95.0
"""The highest progress in percent before the job is completed."""


def progress_of(length: int) -> float:
    """Return the progress in percent for an output of `length` characters: `min(95, length / 2000 · 100)`."""
    return min(MAX_PROGRESS, length / EXPECTED_CHARS * 100)


class GenerateSuggestions:
    """Let the model write suggestions, and stream its output."""

    name = "generate_suggestions"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return nothing: the output is the job's text."""
        await _stream_suggestions(self._model, context, request_messages(_input_of(context)))
        return {}


class ValidateSuggestions:
    """Check the job's text against the schema, and let the model repair it once."""

    name = "validate_suggestions"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the job's result.

        Raises InvalidModelOutput if the text is not valid even after the repair, and the model faults of the repair.
        """
        output = context.previous.text if context.previous else ""
        try:
            suggestions = Suggestions.model_validate_json(output)
        except ValidationError as error:
            suggestions = await self._repair(context, output, describe_errors(error))
        context.output.report_progress(MAX_PROGRESS)
        return suggestions.model_dump(mode="json")

    async def _repair(self, context: StageContext, output: str, errors: str) -> Suggestions:
        # With a cursor, an earlier attempt has reset the text already, and this one re-attaches to its repair.
        if context.response_cursor is None:
            await reset_text(context, "REPAIR", "the model's output is not valid and is being repaired")
        repair = await _stream_suggestions(self._model, context, repair_messages(_input_of(context), output, errors))
        try:
            return Suggestions.model_validate_json(context.output.text)
        except ValidationError as error:
            reason = "it was cut off at the output limit" if repair.truncated else describe_errors(error)
            raise InvalidModelOutput(f"the model's output is not valid, even after a repair: {reason}") from None


async def _stream_suggestions(model: ChatModel, context: StageContext, messages: tuple[Message, ...]) -> Finished:
    return await stream_output(model, context, messages, output_schema(), progress_of=progress_of)


def _input_of(context: StageContext) -> SuggestionInput:
    assert isinstance(context.input, SuggestionInput)  # noqa: S101 - the pipeline's input model
    return context.input
