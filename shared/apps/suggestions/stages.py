"""Run the stages of the `suggestion` pipeline."""

from __future__ import annotations

from typing import Any

from shared.apps.suggestions.models import SuggestionInput, Suggestions
from shared.apps.suggestions.prompts import output_schema, request_messages
from shared.errors import InvalidModelOutput
from shared.llm.model import ChatModel, Finished, Message
from shared.log.usage import TokenUsage
from shared.stages.answers import InvalidAnswer, describe_problem, read_answer, repair_messages
from shared.stages.model_answers import reset_text, stream_output
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
        """Return why the output is empty or cut, if it is: the output itself is the job's text."""
        finished = await _stream_suggestions(self._model, context, request_messages(_input_of(context)))
        return {"truncated": finished.truncated, "whyEmpty": finished.why_empty}


class ValidateSuggestions:
    """Check the job's text against the schema, and let the model repair it once."""

    name = "validate_suggestions"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the job's result.

        Raises InvalidModelOutput if the text is not valid even after the repair, and the model faults of the repair.
        """
        assert context.previous is not None  # noqa: S101 - not the first stage
        output, how = context.previous.text, context.previous.output
        finished = Finished(TokenUsage(), truncated=how.get("truncated", False), why_empty=how.get("whyEmpty"))
        try:
            suggestions = read_answer(Suggestions, output)
        except InvalidAnswer as invalid:
            suggestions = await self._repair(context, output, describe_problem(str(invalid), finished))
        context.output.report_progress(MAX_PROGRESS)
        return suggestions.model_dump(mode="json")

    async def _repair(self, context: StageContext, output: str, problem: str) -> Suggestions:
        # With a cursor, an earlier attempt has reset the text already, and this one re-attaches to its repair.
        if context.response_cursor is None:
            await reset_text(context, "REPAIR", f"the model's output is not valid and is being repaired: {problem}")
        messages = repair_messages(request_messages(_input_of(context)), output, problem, output_schema())
        repair = await _stream_suggestions(self._model, context, messages)
        try:
            return read_answer(Suggestions, context.output.text)
        except InvalidAnswer as invalid:
            reason = describe_problem(str(invalid), repair)
            raise InvalidModelOutput(f"the model's output is not valid, even after a repair: {reason}") from None


async def _stream_suggestions(model: ChatModel, context: StageContext, messages: tuple[Message, ...]) -> Finished:
    return await stream_output(model, context, messages, output_schema(), progress_of=progress_of)


def _input_of(context: StageContext) -> SuggestionInput:
    assert isinstance(context.input, SuggestionInput)  # noqa: S101 - the pipeline's input model
    return context.input
