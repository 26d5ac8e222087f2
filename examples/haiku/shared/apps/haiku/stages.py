"""Run the stages of the `haiku` pipeline."""

from __future__ import annotations

from typing import Any

from shared.apps.haiku.models import Haiku, HaikuInput
from shared.apps.haiku.prompts import output_schema, request_messages
from shared.errors import InvalidModelOutput
from shared.llm.model import ChatModel
from shared.stages.answers import InvalidAnswer, read_answer
from shared.stages.model_answers import stream_output
from shared.stages.stage import StageContext

EXPECTED_CHARS = 150
"""The usual length of an output in characters, from which progress is estimated."""


def progress_of(length: int) -> float:
    """Return the progress in percent for an output of `length` characters: `min(95, length / 150 · 100)`."""
    return min(95.0, length / EXPECTED_CHARS * 100)


class WriteHaiku:
    """Let the model write a haiku, stream its output, and check it."""

    name = "write_haiku"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the haiku. Raises InvalidModelOutput if the output does not fit, and the model's faults."""
        assert isinstance(context.input, HaikuInput)  # noqa: S101 - the pipeline's input model
        messages = request_messages(context.input)
        await stream_output(self._model, context, messages, output_schema(), progress_of=progress_of)
        try:
            return read_answer(Haiku, context.output.text).model_dump(mode="json")
        except InvalidAnswer as invalid:
            raise InvalidModelOutput(f"the model's output is not valid: {invalid}") from None
