"""Write the prompt of a research job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.apps.research.library import CHART, CHART_TITLE, Source
from shared.apps.research.models import ResearchInput, ResearchNotes
from shared.llm.model import ImagePart, Message, OutputSchema, TextPart
from shared.stages.model_answers import strict_schema

_READER = "You read one source and note what it says about a question. Answer with JSON that fits the given schema."
_SYSTEM = """\
You are a research assistant. You answer a question from a small library, and from nothing else.

Work in this order: search the library, read the passages that look useful, and note each fact that answers the \
question with add_finding. Then answer in plain text, in at most three short paragraphs. Name the passage behind each \
fact in brackets, such as [flood_diary-2]. If the library does not answer the question, say so."""


def reading_messages(job_input: ResearchInput, source: Source) -> tuple[Message, ...]:
    """Return the prompt that asks for notes on one source."""
    text = f"Question: {job_input.question}\n\nSource: {source.title} ({source.origin})\n\n{source.text}"
    return Message("system", _READER), Message("user", text)


def notes_schema() -> OutputSchema:
    """Return the schema of the notes on one source."""
    return strict_schema("research_notes", ResearchNotes)


def conversation(
    job_input: ResearchInput, sources: Iterable[Source], notes: Mapping[str, ResearchNotes]
) -> tuple[Message, ...]:
    """Return the prompt of the report: the question, the sources with the notes on each, and the library's chart."""
    said = "\n".join(_source_with_notes(source, notes[source.id]) for source in sources)
    about = f"Question: {job_input.question}\n\nSources, with notes on each:\n{said}"
    text = f"{about}\n\nThe image is a chart. {CHART_TITLE}."
    chart = ImagePart(CHART.read_bytes(), "image/png")
    return Message("system", _SYSTEM), Message("user", (TextPart(text), chart))


def _source_with_notes(source: Source, notes: ResearchNotes) -> str:
    return "\n".join([f"- {source.title} ({source.origin})", *(f"  - {note}" for note in notes.notes)])
