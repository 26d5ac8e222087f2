"""Run the stages of the `research` pipeline."""

from __future__ import annotations

from typing import Any

from shared.apps.research.findings import Findings
from shared.apps.research.library import library
from shared.apps.research.models import ResearchInput, ResearchNotes, ResearchReport
from shared.apps.research.prompts import conversation, notes_schema, reading_messages
from shared.apps.research.tools import TOOLBOX
from shared.errors import InvalidModelOutput
from shared.llm.model import ChatModel
from shared.stages.answers import InvalidAnswer, describe_problem, read_answer
from shared.stages.model_answers import read_output
from shared.stages.part import PartContext
from shared.stages.stage import AttemptContext, StageContext
from shared.tools.budget import Budget
from shared.tools.loop import ToolLoop

BUDGET = Budget(turns=12, calls=30, seconds=240)
"""Fewer seconds than the function has, so that the model can still write its last answer."""


class ChooseSources:
    """Choose the sources whose words fit the question best. No model is called."""

    name = "choose_sources"

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the chosen sources as the parts of the next stage, the best first: id → title."""
        asked = _input_of(context)
        chosen = library().best_sources(asked.question, asked.source_count)
        return {"parts": {source.id: source.title for source in chosen}}


class ReadSource:
    """Let the model note what one source says about the question. All sources are read at the same time."""

    name = "read_source"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: PartContext) -> dict[str, Any]:
        """Return the notes. Raises InvalidModelOutput if the output does not fit, and the model's faults."""
        (source,) = library().only([context.part]).sources
        messages = reading_messages(_input_of(context), source)
        output, finished = await read_output(self._model, context, messages, notes_schema())
        try:
            return read_answer(ResearchNotes, output).model_dump(mode="json")
        except InvalidAnswer as invalid:
            problem = describe_problem(str(invalid), finished)
            raise InvalidModelOutput(f"the model's notes are not valid: {problem}") from None


class WriteReport:
    """Let the model search, read and note findings, and stream its answer."""

    name = "write_report"

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the report. Raises InvalidModelOutput if the model gives no answer, and the model's faults."""
        chosen = library().only(context.parts)
        notes = {part: ResearchNotes.model_validate(result) for part, result in context.parts.items()}
        findings = Findings(context, chosen)
        loop = ToolLoop(self._model, TOOLBOX, findings, context, budget=BUDGET)
        answer = await loop.run(conversation(_input_of(context), chosen.sources, notes))
        if not answer.text.strip():
            raise InvalidModelOutput("the model ended the conversation without an answer")
        report = ResearchReport(
            answer=answer.text,
            findings=findings.all,
            sources=tuple(source.title for source in chosen.sources),
            stopped_by=answer.stopped,
        )
        return report.model_dump(mode="json")


def _input_of(context: AttemptContext) -> ResearchInput:
    assert isinstance(context.input, ResearchInput)  # noqa: S101 - the pipeline's input model
    return context.input
